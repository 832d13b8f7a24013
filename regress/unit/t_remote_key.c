/* TLS handshakes with the private key in another process. */
/* links: msad/frontend/remote_key.c msad/frontend/remote_key_provider.c */
/* links: msad/keys/key_store.c msad/keys/tls_sign.c */
/* libs: tls ssl crypto */

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/ipc.h"
#include "msad/frontend/remote_key.h"
#include "msad/frontend/remote_key_provider.h"
#include "msad/keys/key_store.h"

/* A certificate of our own making, and what the front-end gets of it. */
struct pair {
	const char	*what;
	char		*cert;
	size_t		 cert_len;
	char		*key;		/* private: for the key process */
	size_t		 key_len;
	char		*remote;
	size_t		 remote_len;
};

enum { RSA_PAIR, P256_PAIR, P384_PAIR, ED25519_PAIR, LOST_PAIR, NPAIRS };

static struct pair	 pairs[NPAIRS] = {
	{ .what = "RSA" }, { .what = "P-256" }, { .what = "P-384" },
	{ .what = "ED25519" }, { .what = "P-256" }	/* not given to keys */
};

static struct event_base *base;
static struct ipc	*keys;
static pid_t		 keys_pid;

/* --- certificates --- */

static EVP_PKEY *
make_key(const char *what)
{
	if (strcmp(what, "RSA") == 0)
		return EVP_RSA_gen(2048);
	if (strcmp(what, "ED25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return EVP_EC_gen(what);
}

static char *
take_pem(BIO *bio, size_t *len)
{
	char	*p, *copy;
	long	 n = BIO_get_mem_data(bio, &p);

	copy = malloc((size_t)n);
	assert_non_null(copy);
	memcpy(copy, p, (size_t)n);
	*len = (size_t)n;
	BIO_free(bio);
	return copy;
}

static void
make_pair(struct pair *pair)
{
	EVP_PKEY	*pkey = make_key(pair->what);
	X509		*x = X509_new();
	X509_NAME	*name = X509_get_subject_name(x);
	BIO		*bio;

	assert_non_null(pkey);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, pkey);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"mail.test", -1, -1, 0);
	X509_set_issuer_name(x, name);
	assert_true(X509_sign(x, pkey, strcmp(pair->what, "ED25519") == 0 ?
	    NULL : EVP_sha256()) > 0);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, x);
	pair->cert = take_pem(bio, &pair->cert_len);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
	pair->key = take_pem(bio, &pair->key_len);
	X509_free(x);
	EVP_PKEY_free(pkey);
}

/* --- the key process --- */

static struct key_set	*key_set;

/* As keys.c answers, without its log and counters. */
static int
sign(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	const struct key	*key;
	const char		*reason;
	const uint8_t		*id;
	struct ipc_reader	 r;
	struct slice		 digest, tbs;
	uint8_t			 sig[KEY_SIG_MAX], padding;
	int			 len = -1;

	(void)arg;
	ipc_reader(&r, msg);
	id = ipc_get_raw(&r, KEY_ID_LEN);
	padding = ipc_get_u8(&r);
	digest = ipc_get_str(&r);
	tbs = ipc_get_bytes(&r);
	if (!ipc_done(&r))
		return -1;
	if ((key = key_set_find(key_set, id)) != NULL)
		len = key_sign(key, padding, digest, tbs, sig, &reason);
	/* An answer to a request long past: must be passed over. */
	ipc_start(ch, IPC_KEY_SIGNED, msg->sid - 1);
	ipc_put_u8(ch, 1);
	ipc_put_bytes(ch, "stale", 5);
	ipc_send(ch);
	ipc_start(ch, IPC_KEY_SIGNED, msg->sid);
	ipc_put_u8(ch, len != -1);
	ipc_put_bytes(ch, sig, len == -1 ? 0 : (size_t)len);
	ipc_send(ch);
	return 0;
}

static const struct ipc_handler sign_handlers[] = {
	{ IPC_KEY_SIGN, sign },
	{ 0, NULL }
};

static void
keys_over(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)ch;
	(void)end;
	(void)arg;
	_exit(0);
}

static void
keys_main(int fd)
{
	struct event_base	*own = event_base_new();
	char			 reason[256];
	int			 i;

	ipc_init(own);
	if (key_store_init() == -1 || (key_set = key_set_new()) == NULL)
		fprintf(stderr, "# key memory is not locked here\n");
	for (i = 0; i < LOST_PAIR; i++)
		if (key_set_add(key_set, SLICE_STR("x"), SLICE(pairs[i].key,
		    pairs[i].key_len), reason, sizeof(reason)) == -1)
			_exit(2);
	if (ipc_new(fd, ROLE_KEYS, ROLE_FRONTEND, sign_handlers, keys_over,
	    NULL) == NULL)
		_exit(2);
	event_base_dispatch(own);
	_exit(3);
}

static void
keys_start(void)
{
	int	 sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	keys_pid = fork();
	assert_int_not_equal(keys_pid, -1);
	if (keys_pid == 0) {
		close(sv[0]);
		keys_main(sv[1]);
	}
	close(sv[1]);
	keys = ipc_new(sv[0], ROLE_FRONTEND, ROLE_KEYS, remote_key_handlers,
	    NULL, NULL);
	assert_non_null(keys);
	remote_key_channel(keys);
}

static int
setup(void **state)
{
	int	 i;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	ipc_init(base);
	for (i = 0; i < NPAIRS; i++)
		make_pair(&pairs[i]);
	keys_start();
	for (i = 0; i < NPAIRS; i++) {
		freezero(pairs[i].key, pairs[i].key_len);
		pairs[i].remote = remote_key_pem(pairs[i].cert,
		    pairs[i].cert_len, &pairs[i].remote_len);
		assert_non_null(pairs[i].remote);
	}
	return remote_key_install();
}

static int
teardown(void **state)
{
	int	 i, status;

	(void)state;
	ipc_free(keys);
	remote_key_channel(NULL);
	assert_int_equal(waitpid(keys_pid, &status, 0), keys_pid);
	assert_int_equal(status, 0);
	for (i = 0; i < NPAIRS; i++) {
		free(pairs[i].cert);
		free(pairs[i].remote);
	}
	event_base_free(base);
	remote_key_uninstall();
	return 0;
}

/* --- handshakes --- */

/* The client, with a plain OpenSSL: 0 when all went well. */
static int
client(int fd, const struct pair *pair, int version, const char *sigalgs,
    const char *groups)
{
	SSL_CTX	*ctx = SSL_CTX_new(TLS_client_method());
	BIO	*bio = BIO_new_mem_buf(pair->cert, (int)pair->cert_len);
	X509	*x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	SSL	*ssl;
	char	 buf[8];

	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if ((sigalgs != NULL && !SSL_CTX_set1_sigalgs_list(ctx, sigalgs)) ||
	    (groups != NULL && !SSL_CTX_set1_groups_list(ctx, groups)))
		return 4;
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1 || SSL_write(ssl, "ping", 4) != 4 ||
	    SSL_read(ssl, buf, 4) != 4 || memcmp(buf, "pong", 4) != 0)
		return 1;
	return 0;
}

static struct tls *
server_new(const struct pair *pair)
{
	struct tls_config	*config = tls_config_new();
	struct tls		*server = tls_server();

	assert_int_equal(tls_config_set_keypair_mem(config,
	    (const uint8_t *)pair->cert, pair->cert_len,
	    (const uint8_t *)pair->remote, pair->remote_len), 0);
	assert_int_equal(tls_config_set_ecdhecurves(config,
	    "X25519,P-256,P-384,P-521"), 0);
	if (tls_configure(server, config) != 0)
		fail_msg("%s: %s", pair->what, tls_error(server));
	tls_config_free(config);
	return server;
}

/* One session, ping for pong; true when both sides are content. */
static int
session(const struct pair *pair, int version, const char *sigalgs,
    const char *groups)
{
	struct tls	*server = server_new(pair), *conn = NULL;
	char		 buf[8];
	pid_t		 pid;
	int		 sv[2], status, ok = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		close(sv[0]);
		_exit(client(sv[1], pair, version, sigalgs, groups));
	}
	close(sv[1]);
	assert_int_equal(tls_accept_socket(server, &conn, sv[0]), 0);
	ok = tls_handshake(conn) == 0 && tls_read(conn, buf, 4) == 4 &&
	    memcmp(buf, "ping", 4) == 0 && tls_write(conn, "pong", 4) == 4;
	close(sv[0]);
	tls_free(conn);
	tls_free(server);
	ERR_clear_error();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_not_equal(status, 4 << 8);
	return ok && status == 0;
}

static void
all_handshakes(void **state)
{
	static const struct {
		int		 pair;
		int		 version;
		const char	*sigalgs;
		const char	*groups;
	} cases[] = {
		{ RSA_PAIR, TLS1_3_VERSION, NULL, NULL },
		{ RSA_PAIR, TLS1_3_VERSION, "rsa_pss_rsae_sha512", "P-384" },
		{ RSA_PAIR, TLS1_2_VERSION, NULL, NULL },
		{ RSA_PAIR, TLS1_2_VERSION, "RSA+SHA256", "P-256" },
		{ RSA_PAIR, TLS1_2_VERSION, "rsa_pss_rsae_sha384", "X25519" },
		{ P256_PAIR, TLS1_3_VERSION, NULL, NULL },
		{ P256_PAIR, TLS1_2_VERSION, NULL, NULL },
		{ P256_PAIR, TLS1_2_VERSION, "ECDSA+SHA512:ECDSA+SHA256",
		    "P-521:P-256" },
		{ P384_PAIR, TLS1_3_VERSION, NULL, NULL },
		{ P384_PAIR, TLS1_2_VERSION, "ECDSA+SHA384:ECDSA+SHA256",
		    "P-384" },
		{ ED25519_PAIR, TLS1_3_VERSION, NULL, NULL },
		{ ED25519_PAIR, TLS1_2_VERSION, NULL, NULL }
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!session(&pairs[cases[i].pair], cases[i].version,
		    cases[i].sigalgs, cases[i].groups))
			fail_msg("case %zu: %s", i, pairs[cases[i].pair].what);
}

/* keys has no such key: this handshake fails, the next one does not. */
static void
unknown_key(void **state)
{
	(void)state;
	assert_false(session(&pairs[LOST_PAIR], TLS1_3_VERSION, NULL, NULL));
	assert_true(session(&pairs[P256_PAIR], TLS1_3_VERSION, NULL, NULL));
}

/* A front-end that asks for anything else gets nothing. */
static void
other_signatures(void **state)
{
	static const char	 text[] = "a header to be signed";
	unsigned char		*der = NULL;
	uint8_t			 id[32], sig[KEY_SIG_MAX];
	EVP_PKEY		*pkey;
	X509			*x;
	BIO			*bio;
	int			 len;

	(void)state;
	bio = BIO_new_mem_buf(pairs[P256_PAIR].cert,
	    (int)pairs[P256_PAIR].cert_len);
	x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	pkey = X509_get0_pubkey(x);
	len = i2d_PUBKEY(pkey, &der);
	assert_true(len > 0);
	EVP_Digest(der, (size_t)len, id, NULL, EVP_sha256(), NULL);
	assert_int_equal(remote_key_sign(id, REMOTE_KEY_NONE, "SHA256",
	    SLICE_STR(text), sig, sizeof(sig)), -1);
	OPENSSL_free(der);
	X509_free(x);
	BIO_free(bio);
}

static void
pem_of_nothing(void **state)
{
	size_t	 len;

	(void)state;
	assert_null(remote_key_pem("", 0, &len));
	assert_null(remote_key_pem("-----BEGIN CERTIFICATE-----\nAAAA\n", 33,
	    &len));
	assert_null(memmem(pairs[0].remote, pairs[0].remote_len, "PRIVATE", 7));
	assert_non_null(memmem(pairs[0].remote, pairs[0].remote_len,
	    "MSAD REMOTE KEY", 15));
}

/* No channel: the handshake fails at once and nothing else does. */
static void
no_channel(void **state)
{
	(void)state;
	remote_key_channel(NULL);
	assert_false(session(&pairs[RSA_PAIR], TLS1_3_VERSION, NULL, NULL));
	remote_key_channel(keys);
	assert_true(session(&pairs[RSA_PAIR], TLS1_3_VERSION, NULL, NULL));
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(pem_of_nothing),
		cmocka_unit_test(all_handshakes),
		cmocka_unit_test(unknown_key),
		cmocka_unit_test(other_signatures),
		cmocka_unit_test(no_channel)
	};

	return cmocka_run_group_tests_name("remote_key", tests, setup,
	    teardown);
}
