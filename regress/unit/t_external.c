/* Client certificates: which are good, and whose they are. */
/* links: msad/auth/external.c msad/auth/authority.c msad/auth/identity.c */
/* links: msad/auth/exchange.c msad/auth/credential.c */
/* links: msad/auth/sasl_text.c */
/* libs: crypto */

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "msad/auth/authority.h"
#include "msad/auth/external.h"

static EVP_PKEY		*ca_key, *other_key, *key;
static X509		*ca, *other;
static struct authority	*authority;
static char		 realm[] = "example.org", path[] = "/ca";
static struct auth_block block = { .realm = realm,
	.mechs = CONF_MECH_EXTERNAL, .clients = { .ca = path } };
static struct tls_facts	 tls;

struct authority *
blocks_authority(const struct auth_block *b)
{
	(void)b;
	return authority;
}

static void
extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX	 ctx;
	X509_EXTENSION	*e;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	assert_non_null(e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value));
	assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* names: "O=x" and the like, ends with NULL. */
static X509 *
make(EVP_PKEY *pub, X509 *issuer, EVP_PKEY *sign, const char *const *names,
    const char *san, long from, long to, long serial)
{
	X509		*cert = X509_new();
	X509_NAME	*name = X509_get_subject_name(cert);
	char		 field[8];

	for (; *names != NULL; names++) {
		strlcpy(field, *names, sizeof(field));
		field[strcspn(field, "=")] = '\0';
		assert_int_equal(X509_NAME_add_entry_by_txt(name, field,
		    MBSTRING_UTF8, (const unsigned char *)
		    strchr(*names, '=') + 1, -1, -1, 0), 1);
	}
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), from);
	X509_gmtime_adj(X509_getm_notAfter(cert), to);
	X509_set_pubkey(cert, pub);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer != NULL ?
	    issuer : cert));
	if (issuer == NULL)
		extension(cert, cert, NID_basic_constraints,
		    "critical,CA:TRUE");
	if (san != NULL)
		extension(cert, issuer, NID_subject_alt_name, san);
	assert_true(X509_sign(cert, sign, EVP_sha256()) > 0);
	return cert;
}

static int
pem_fd(X509 *cert, X509_CRL *crl)
{
	FILE	*f = tmpfile();
	int	 fd;

	assert_non_null(f);
	if (cert != NULL)
		PEM_write_X509(f, cert);
	if (crl != NULL)
		PEM_write_X509_CRL(f, crl);
	fflush(f);
	fd = dup(fileno(f));
	fclose(f);
	return fd;
}

static void
load(X509_CRL *crl)
{
	char	 reason[256];
	int	 fd = pem_fd(ca, NULL), list = crl != NULL ? pem_fd(NULL, crl) :
	    -1;

	authority_release(authority);
	authority = authority_load(fd, "/ca", list, "/crl", reason,
	    sizeof(reason));
	if (authority == NULL)
		fail_msg("%s", reason);
	close(fd);
	if (list != -1)
		close(list);
}

static int
setup(void **state)
{
	static const char *const	 name[] = { "CN=CA", NULL };

	(void)state;
	ca_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	other_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	ca = make(ca_key, NULL, ca_key, name, NULL, -60, 3600, 1);
	other = make(other_key, NULL, other_key, name, NULL, -60, 3600, 1);
	load(NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	authority_release(authority);
	X509_free(ca);
	X509_free(other);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(other_key);
	EVP_PKEY_free(key);
	return 0;
}

/* The login of the certificate, or the reason; the certificate is freed. */
static const char *
whose(X509 *cert)
{
	static char	 login[IPC_USER_MAX + 1];
	const char	*reason;
	unsigned char	*der = NULL;
	int		 n = i2d_X509(cert, &der), r;

	assert_true(n > 0);
	tls.cert = der;
	tls.ncert = (size_t)n;
	r = external_login(&block, &tls, login, &reason);
	tls.cert = NULL;
	OPENSSL_free(der);
	X509_free(cert);
	return r == 0 ? login : reason;
}

static X509 *
of(const char *const *names, const char *san)
{
	return make(key, ca, ca_key, names, san, -60, 3600, 7);
}

static const char *const	 ann[] = { "O=Example", "CN=ann", NULL };
#define EMAIL	"email:ann@example.org"

/* R4422-A-a: only what verifies and maps. */
static void
validity(void **state)
{
	static const long	 old = -60;

	(void)state;
	assert_string_equal(whose(of(ann, EMAIL)), "ann@example.org");
	assert_string_equal(whose(make(key, ca, ca_key, ann, EMAIL, -3600, old,
	    7)), "the certificate has expired");
	assert_string_equal(whose(make(key, ca, ca_key, ann, EMAIL, 600, 3600,
	    7)), "the certificate is not valid yet");
	/* the authority's name by another's key */
	assert_string_equal(whose(make(key, other, other_key, ann, EMAIL, -60,
	    3600, 7)), "the certificate's signature is wrong");
	assert_string_equal(whose(make(key, NULL, key, ann, NULL, -60, 3600,
	    7)), "the certificate is by an unknown authority");
	tls.cert = NULL;
	authority_release(authority);
	authority = NULL;
	assert_string_equal(whose(of(ann, EMAIL)),
	    "client certificates do not count here");
	load(NULL);
	block.mechs = 0;
	assert_string_equal(whose(of(ann, EMAIL)),
	    "client certificates do not count here");
	block.mechs = CONF_MECH_EXTERNAL;
}

static void
users(void **state)
{
	static char		 k1[] = "CN=ann,O=Example", u1[] = "printer";
	static char		 k2[] = "bob@example.com", u2[] = "bob";
	struct cert_user	 list[] = { { k1, u1 }, { k2, u2 },
	    { NULL, NULL } };
	static const char *const two[] = { "CN=ann", "CN=bob", NULL };
	static const char *const with[] = { "CN=ann@example.org", NULL };

	(void)state;
	assert_string_equal(whose(of(ann, NULL)),
	    "the certificate does not hold one address");
	assert_string_equal(whose(of(ann, EMAIL ",email:b@example.org")),
	    "the certificate does not hold one address");
	assert_string_equal(whose(of(ann, "email:ann@example.com")),
	    "user of another realm");
	assert_string_equal(whose(of(ann, "DNS:example.org," EMAIL)),
	    "ann@example.org");
	block.clients.local_part = true;
	assert_string_equal(whose(of(ann, EMAIL)), "ann");
	block.clients.local_part = false;
	block.clients.user = CONF_CERT_NAME;
	assert_string_equal(whose(of(ann, NULL)), "ann");
	assert_string_equal(whose(of(with, NULL)), "ann@example.org");
	assert_string_equal(whose(of(two, NULL)),
	    "the certificate does not hold one common name");
	block.clients.user = CONF_CERT_TABLE;
	block.cert_users = list;
	assert_string_equal(whose(of(ann, NULL)), "printer");
	assert_string_equal(whose(of(two, "email:Bob@example.com")), "bob");
	assert_string_equal(whose(of(two, EMAIL)),
	    "the certificate is no user's in the table");
	/* of two users: nobody's */
	assert_string_equal(whose(of(ann, "email:bob@example.com")),
	    "the certificate is no user's in the table");
	block.cert_users = NULL;
	block.clients.user = CONF_CERT_EMAIL;
}

static X509_CRL *
crl(long from, long to, long serial)
{
	X509_CRL	*list = X509_CRL_new();
	X509_REVOKED	*r = X509_REVOKED_new();
	ASN1_TIME	*t = ASN1_TIME_new();
	ASN1_INTEGER	*n = ASN1_INTEGER_new();

	X509_CRL_set_version(list, 1);
	X509_CRL_set_issuer_name(list, X509_get_subject_name(ca));
	X509_gmtime_adj(t, from);
	X509_CRL_set1_lastUpdate(list, t);
	X509_REVOKED_set_revocationDate(r, t);
	X509_gmtime_adj(t, to);
	X509_CRL_set1_nextUpdate(list, t);
	ASN1_INTEGER_set(n, serial);
	X509_REVOKED_set_serialNumber(r, n);
	X509_CRL_add0_revoked(list, r);
	assert_true(X509_CRL_sign(list, ca_key, EVP_sha256()) > 0);
	ASN1_TIME_free(t);
	ASN1_INTEGER_free(n);
	return list;
}

static void
revocation(void **state)
{
	X509_CRL	*list;

	(void)state;
	load(list = crl(-60, 3600, 7));
	X509_CRL_free(list);
	assert_string_equal(whose(of(ann, EMAIL)),
	    "the certificate was revoked");
	load(list = crl(-60, 3600, 8));
	X509_CRL_free(list);
	assert_string_equal(whose(of(ann, EMAIL)), "ann@example.org");
	load(list = crl(-3600, -60, 8));
	X509_CRL_free(list);
	assert_string_equal(whose(of(ann, EMAIL)),
	    "the revocation list has expired");
	load(NULL);
}

static enum mech_step
login(struct slice authzid, const char *want, const char *reason)
{
	struct exchange	*x = exchange_new(&mech_external);
	X509		*cert = of(ann, EMAIL);
	unsigned char	*der = NULL;
	enum mech_step	 step;

	tls.ncert = (size_t)i2d_X509(cert, &der);
	tls.cert = der;
	x->block = &block;
	x->tls = &tls;
	step = x->mech->start(x, true, authzid);
	assert_string_equal(x->user, want);
	if (reason != NULL)
		assert_string_equal(x->reason, reason);
	tls.cert = NULL;
	OPENSSL_free(der);
	X509_free(cert);
	exchange_free(x);
	return step;
}

static void
authzids(void **state)
{
	const char	*no = "authorization identity of another user";

	(void)state;
	assert_int_equal(login(SLICE_STR(""), "ann@example.org", NULL),
	    MECH_DONE);
	assert_int_equal(login(SLICE_STR("ann@example.org"),
	    "ann@example.org", NULL), MECH_DONE);
	assert_int_equal(login(SLICE_STR("ann@EXAMPLE.org"),
	    "ann@example.org", NULL), MECH_DONE);
	assert_int_equal(login(SLICE_STR("bob@example.org"),
	    "ann@example.org", no), MECH_FAILED);
	assert_int_equal(login(SLICE("ann@example.org\0", 16),
	    "ann@example.org", no), MECH_FAILED);
	assert_int_equal(login(SLICE_STR("ann"), "ann@example.org", no),
	    MECH_FAILED);
}

/* What a front-end might send that is no certificate. */
static void
garbage(void **state)
{
	unsigned char	 junk[9000];
	char		 name[IPC_USER_MAX + 1];
	const char	*reason;
	X509		*cert = of(ann, EMAIL);
	unsigned char	*p = junk;
	int		 n, i;

	(void)state;
	memset(junk, 0x30, sizeof(junk));
	assert_int_equal(authority_check(authority, SLICE(junk, sizeof(junk)),
	    CONF_CERT_EMAIL, NULL, name, &reason), -1);
	assert_int_equal(authority_check(authority, SLICE(junk, 0),
	    CONF_CERT_EMAIL, NULL, name, &reason), -1);
	n = i2d_X509(cert, &p);
	assert_int_equal(authority_check(authority, SLICE(junk, n),
	    CONF_CERT_EMAIL, NULL, name, &reason), 0);
	/* octets behind it */
	assert_int_equal(authority_check(authority, SLICE(junk, n + 1),
	    CONF_CERT_EMAIL, NULL, name, &reason), -1);
	for (i = 0; i < n; i++) {
		junk[i] ^= 0x10;
		assert_int_equal(authority_check(authority, SLICE(junk, n),
		    CONF_CERT_EMAIL, NULL, name, &reason), -1);
		junk[i] ^= 0x10;
		assert_int_equal(authority_check(authority, SLICE(junk, i),
		    CONF_CERT_EMAIL, NULL, name, &reason), -1);
	}
	X509_free(cert);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(validity),
		cmocka_unit_test(users),
		cmocka_unit_test(revocation),
		cmocka_unit_test(authzids),
		cmocka_unit_test(garbage),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
