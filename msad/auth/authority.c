/*
 * Client certificates: are they by our authority, valid, not revoked, and
 * whose are they?
 *
 * Runs in msad-auth. The files come open from msad and are the
 * administrator's; the certificate is what a front-end says that a client
 * showed in its handshake. All that X.509 asks is asked of libcrypto:
 * signatures, times, purpose, revocation lists of every authority in the
 * chain. A list that is out of date, or not there, counts as a revocation,
 * since nothing would be known otherwise.
 */

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <sys/stat.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/ipc_types.h"
#include "msad/auth/authority.h"

#define DEPTH_MAX	8	/* authorities in a chain */
#define SECURITY_LEVEL	2	/* 112 bits: RSA 2048, no SHA-1 */
#define EMAILS_MAX	8	/* addresses of a certificate */

struct authority {
	unsigned int	 refs;
	X509_STORE	*store;
};

/* --- the files --- */

static BIO *
file_bio(int fd, const char *path, char *reason, size_t size)
{
	struct stat	 st;
	ssize_t		 n;
	char		*text;
	BIO		*bio;

	if (fstat(fd, &st) == -1 || st.st_size > AUTHORITY_SIZE_MAX ||
	    (text = malloc((size_t)st.st_size + 1)) == NULL) {
		snprintf(reason, size, "%s: longer than %d octets", path,
		    AUTHORITY_SIZE_MAX);
		return NULL;
	}
	n = pread(fd, text, (size_t)st.st_size, 0);
	bio = BIO_new(BIO_s_mem());
	if (n < 0 || bio == NULL || (n > 0 && BIO_write(bio, text,
	    (int)n) != (int)n)) {
		snprintf(reason, size, "%s: cannot be read", path);
		BIO_free(bio);
		bio = NULL;
	} else
		BIO_set_mem_eof_return(bio, 0);
	free(text);
	return bio;
}

/* Did the last PEM read end because nothing more is there? */
static bool
at_end(void)
{
	unsigned long	 e = ERR_peek_last_error();

	return ERR_GET_LIB(e) == ERR_LIB_PEM &&
	    ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

/* 0, or -1: malformed, or none. */
static int
add_authorities(X509_STORE *store, BIO *bio, const char **why)
{
	X509	*cert;
	int	 n = 0;

	*why = "malformed certificate";
	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		n += X509_check_ca(cert) != 0;
		if (X509_STORE_add_cert(store, cert) != 1)
			n = -1;
		X509_free(cert);
		if (n == -1)
			return -1;
	}
	if (!at_end())
		return -1;
	*why = "no certificate of an authority in it";
	return n > 0 ? 0 : -1;
}

static int
add_lists(X509_STORE *store, BIO *bio, const char **why)
{
	X509_CRL	*crl;
	int		 n = 0;

	*why = "malformed revocation list";
	while ((crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
		if (X509_STORE_add_crl(store, crl) != 1)
			n = -1;
		X509_CRL_free(crl);
		if (n++ == -1)
			return -1;
	}
	if (!at_end())
		return -1;
	*why = "no revocation list in it";
	return n > 0 ? 0 : -1;
}

static int
add_file(X509_STORE *store, int fd, const char *path,
    int (*add)(X509_STORE *, BIO *, const char **), char *reason, size_t size)
{
	const char	*why;
	BIO		*bio;
	int		 r;

	ERR_clear_error();
	if ((bio = file_bio(fd, path, reason, size)) == NULL)
		return -1;
	if ((r = add(store, bio, &why)) == -1)
		snprintf(reason, size, "%s: %s", path, why);
	BIO_free(bio);
	ERR_clear_error();
	return r;
}

static struct authority *
authority_new(void)
{
	struct authority	*a;
	X509_VERIFY_PARAM	*param;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return NULL;
	if ((a->store = X509_STORE_new()) == NULL) {
		free(a);
		return NULL;
	}
	a->refs = 1;
	param = X509_STORE_get0_param(a->store);
	X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT);
	X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
	return a;
}

struct authority *
authority_load(int ca, const char *ca_path, int crl, const char *crl_path,
    char *reason, size_t size)
{
	struct authority	*a;

	if ((a = authority_new()) == NULL) {
		snprintf(reason, size, "out of memory");
		return NULL;
	}
	if (add_file(a->store, ca, ca_path, add_authorities, reason, size) ==
	    -1 || (crl != -1 && add_file(a->store, crl, crl_path, add_lists,
	    reason, size) == -1)) {
		authority_release(a);
		return NULL;
	}
	if (crl != -1)
		X509_VERIFY_PARAM_set_flags(X509_STORE_get0_param(a->store),
		    X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return a;
}

struct authority *
authority_ref(struct authority *a)
{
	a->refs++;
	return a;
}

void
authority_release(struct authority *a)
{
	if (a == NULL || --a->refs > 0)
		return;
	X509_STORE_free(a->store);
	free(a);
}

/* --- validity --- */

static const char *
plain_words(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "the certificate has expired";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "the certificate is not valid yet";
	case X509_V_ERR_CERT_REVOKED:
		return "the certificate was revoked";
	case X509_V_ERR_CRL_HAS_EXPIRED:
		return "the revocation list has expired";
	case X509_V_ERR_CRL_NOT_YET_VALID:
		return "the revocation list is not valid yet";
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return "no revocation list of the authority is there";
	case X509_V_ERR_CRL_SIGNATURE_FAILURE:
		return "the revocation list's signature is wrong";
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return "the certificate is by an unknown authority";
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return "the certificate's signature is wrong";
	case X509_V_ERR_INVALID_PURPOSE:
		return "the certificate is not for clients";
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return "the certificate's key or signature is too weak";
	default:
		return "the certificate cannot be verified";
	}
}

static int
verify(const struct authority *a, X509 *cert, const char **reason)
{
	X509_STORE_CTX	*ctx = X509_STORE_CTX_new();
	int		 r = -1;

	*reason = "out of memory";
	if (ctx != NULL && X509_STORE_CTX_init(ctx, a->store, cert, NULL) ==
	    1) {
		if (X509_verify_cert(ctx) == 1)
			r = 0;
		else
			*reason = plain_words(X509_STORE_CTX_get_error(ctx));
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

/* --- the user --- */

/* The addresses in the certificate's subjectAltName; how many. */
static size_t
emails(X509 *cert, char list[][IPC_USER_MAX + 1])
{
	GENERAL_NAMES	*names;
	GENERAL_NAME	*name;
	const char	*p;
	size_t		 n = 0, len;
	int		 i;

	names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
		name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_EMAIL || n == EMAILS_MAX)
			continue;
		p = (const char *)ASN1_STRING_get0_data(name->d.rfc822Name);
		len = (size_t)ASN1_STRING_length(name->d.rfc822Name);
		if (len == 0 || len > IPC_USER_MAX ||
		    memchr(p, '\0', len) != NULL)
			continue;
		memcpy(list[n], p, len);
		list[n++][len] = '\0';
	}
	GENERAL_NAMES_free(names);
	return n;
}

/* The only common name of the subject. */
static int
common_name(X509 *cert, char *name)
{
	const X509_NAME	*subject = X509_get_subject_name(cert);
	unsigned char	*text = NULL;
	int		 at, n, r = -1;

	at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName,
	    at) >= 0)
		return -1;
	n = ASN1_STRING_to_UTF8(&text,
	    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (n > 0 && n <= IPC_USER_MAX && memchr(text, '\0', (size_t)n) ==
	    NULL) {
		memcpy(name, text, (size_t)n);
		name[n] = '\0';
		r = 0;
	}
	OPENSSL_free(text);
	return r;
}

/* The subject as a line (RFC 4514), UTF-8 as it is. */
static int
subject_line(X509 *cert, char *buf, size_t size)
{
	BIO	*bio = BIO_new(BIO_s_mem());
	char	*p;
	long	 n = -1;

	if (bio != NULL && X509_NAME_print_ex(bio,
	    X509_get_subject_name(cert), 0,
	    XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
		n = BIO_get_mem_data(bio, &p);
	if (n > 0 && (size_t)n < size && memchr(p, '\0', (size_t)n) == NULL) {
		memcpy(buf, p, (size_t)n);
		buf[n] = '\0';
	} else
		n = -1;
	BIO_free(bio);
	return n > 0 ? 0 : -1;
}

/* The user of the table's rows for it; they must not name two. */
static int
from_table(X509 *cert, const struct cert_user *list, char *name)
{
	char		 mails[EMAILS_MAX][IPC_USER_MAX + 1], line[1024];
	size_t		 n = emails(cert, mails), i;
	const char	*user = NULL;
	bool		 hit;

	if (subject_line(cert, line, sizeof(line)) == -1)
		line[0] = '\0';
	for (; list != NULL && list->key != NULL; list++) {
		hit = strcmp(list->key, line) == 0;
		for (i = 0; i < n && !hit; i++)
			hit = strcasecmp(list->key, mails[i]) == 0;
		if (!hit)
			continue;
		if (user != NULL && strcmp(user, list->user) != 0)
			return -1;
		user = list->user;
	}
	return user != NULL && strlcpy(name, user, IPC_USER_MAX + 1) <=
	    IPC_USER_MAX ? 0 : -1;
}

static int
take_name(X509 *cert, enum conf_cert_user kind, const struct cert_user *list,
    char *name, const char **reason)
{
	char	 mails[EMAILS_MAX][IPC_USER_MAX + 1];

	switch (kind) {
	case CONF_CERT_EMAIL:
		*reason = "the certificate does not hold one address";
		if (emails(cert, mails) != 1)
			return -1;
		strlcpy(name, mails[0], IPC_USER_MAX + 1);
		return 0;
	case CONF_CERT_NAME:
		*reason = "the certificate does not hold one common name";
		return common_name(cert, name);
	case CONF_CERT_TABLE:
		*reason = "the certificate is no user's in the table";
		return from_table(cert, list, name);
	}
	return -1;
}

int
authority_check(const struct authority *a, struct slice der,
    enum conf_cert_user kind, const struct cert_user *list, char *name,
    const char **reason)
{
	const unsigned char	*p = (const unsigned char *)der.p;
	X509			*cert = NULL;
	int			 r = -1;

	*reason = "malformed certificate";
	if (der.len > 0 && der.len <= AUTHORITY_CERT_MAX)
		cert = d2i_X509(NULL, &p, (long)der.len);
	if (cert != NULL && p == (const unsigned char *)der.p + der.len &&
	    verify(a, cert, reason) == 0 &&
	    take_name(cert, kind, list, name, reason) == 0)
		r = 0;
	X509_free(cert);
	ERR_clear_error();
	return r;
}

void
authority_subject(struct slice der, char *buf, size_t size)
{
	const unsigned char	*p = (const unsigned char *)der.p;
	X509			*cert = d2i_X509(NULL, &p, (long)der.len);

	if (cert == NULL || subject_line(cert, buf, size) == -1)
		buf[0] = '\0';
	X509_free(cert);
	ERR_clear_error();
}
