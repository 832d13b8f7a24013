/*
 * The hashers of msad-auth: crypt(3) and PBKDF2 beside its event loop, since
 * one yescrypt hash takes as long as a hundred logins from the cache.
 *
 * They are forked by msad-auth after it has its user and root and before
 * anything from outside has been seen; each has its socket and nothing else,
 * and a sandbox. What comes in is a password from a client with verifiers from
 * the passwd file; what goes out is which one fits. They know no user.
 */

#include <sys/types.h>
#include <sys/socket.h>

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "common/sandbox.h"
#include "common/saslprep.h"
#include "msad/auth/hasher.h"

static bool
crypt_fits(const char *password, const char *hash)
{
	static struct crypt_data	 data;
	const char			*got;
	size_t				 n;
	bool				 ok;

	got = crypt_r(password, hash, &data);
	n = strlen(hash);
	ok = got != NULL && got[0] != '*' && strlen(got) == n &&
	    CRYPTO_memcmp(got, hash, n) == 0;
	explicit_bzero(&data, sizeof(data));
	return ok;
}

/* Entries of one user mostly share salt and iterations: one PBKDF2 for all. */
static bool
same_salt(const struct scram_verifier *a, const struct scram_verifier *b)
{
	return a->iterations == b->iterations && a->nsalt == b->nsalt &&
	    memcmp(a->salt, b->salt, a->nsalt) == 0;
}

static bool
scram_fits(enum scram_hash hash, struct slice password,
    const struct scram_verifier *v, struct scram_verifier *last)
{
	size_t	 n = scram_hash_len(hash);

	if (!same_salt(v, last)) {
		*last = *v;
		if (scram_derive(hash, password, last) == -1) {
			last->iterations = 0;
			return false;
		}
	}
	return CRYPTO_memcmp(v->stored, last->stored, n) == 0;
}

int
hasher_match(const struct hash_request *req)
{
	struct scram_verifier	 sha1 = { 0 }, sha256 = { 0 };
	char			 prepared[2 * sizeof(req->password)];
	const struct hash_entry	*e;
	struct slice		 password;
	int			 n, found = HASHER_NONE;
	uint32_t		 i;

	/* Verifiers are of prepared passwords, where they could be. */
	password = SLICE(req->password, req->npassword);
	n = saslprep(password, prepared, sizeof(prepared));
	if (n != -1)
		password = SLICE(prepared, n);
	for (i = 0; i < req->nentries && found == HASHER_NONE; i++) {
		e = &req->entries[i];
		if (e->kind == HASH_CRYPT ?
		    crypt_fits(req->password, e->u.crypt) :
		    e->kind == HASH_SCRAM_SHA256 ?
		    scram_fits(SCRAM_SHA256, password, &e->u.scram, &sha256) :
		    scram_fits(SCRAM_SHA1, password, &e->u.scram, &sha1))
			found = (int)i;
	}
	explicit_bzero(prepared, sizeof(prepared));
	explicit_bzero(&sha1, sizeof(sha1));
	explicit_bzero(&sha256, sizeof(sha256));
	return found;
}

/* Is it what msad-auth sends? */
static bool
request_ok(const struct hash_request *req, ssize_t n)
{
	return n >= (ssize_t)offsetof(struct hash_request, entries) &&
	    req->nentries <= HASHER_ENTRIES_MAX &&
	    req->npassword < sizeof(req->password) &&
	    req->password[req->npassword] == '\0' &&
	    (size_t)n == offsetof(struct hash_request, entries) +
	    req->nentries * sizeof(req->entries[0]);
}

static void __attribute__((__noreturn__))
hasher(int sock)
{
	static struct hash_request	 req;
	struct hash_answer		 answer;
	const char			*reason;
	ssize_t				 n;

	signal(SIGTERM, SIG_IGN);	/* it ends after msad-auth has */
	signal(SIGINT, SIG_IGN);
	if (sock != 0 && dup2(sock, 0) == -1)
		_exit(1);
	closefrom(1);
	/* Have the libraries load what they need while that can be done. */
	(void)scram_derive(SCRAM_SHA256, SLICE("x", 1),
	    &(struct scram_verifier){ .iterations = 1, .nsalt = 8 });
	if (sandbox_apply(ROLE_AUTH, SANDBOX_HASHER, &reason) == -1)
		_exit(1);
	for (;;) {
		n = recv(0, &req, sizeof(req), 0);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0 || !request_ok(&req, n))
			break;
		memset(&answer, 0, sizeof(answer));
		answer.id = req.id;
		answer.match = hasher_match(&req);
		explicit_bzero(&req, sizeof(req));
		if (send(0, &answer, sizeof(answer), MSG_NOSIGNAL) !=
		    (ssize_t)sizeof(answer))
			break;
	}
	_exit(0);
}

int
hasher_start(void)
{
	int	 sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == -1)
		return -1;
	switch (fork()) {
	case -1:
		close(sv[0]);
		close(sv[1]);
		return -1;
	case 0:
		hasher(sv[1]);
	default:
		break;
	}
	close(sv[1]);
	if (fcntl(sv[0], F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(sv[0], F_SETFD, FD_CLOEXEC) == -1) {
		close(sv[0]);
		return -1;
	}
	return sv[0];
}
