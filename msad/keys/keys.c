/*
 * msad-keys: the process that holds the private keys and only signs.
 *
 * It runs as _msadk in an empty root. msad hands it the key files as open
 * descriptors; front-ends ask for signatures of TLS handshakes by the id of a
 * public key. A front-end is not trusted: tls_sign.c decides what is signed,
 * and a front-end that does not read its answers loses its channel.
 *
 * A reload brings a new set of keys. The set before it stays usable until the
 * reload after next, because front-ends change over one by one and sessions
 * keep the settings that they began with.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/ipc.h"
#include "common/log.h"
#include "common/stats.h"
#include "msad/keys/key_store.h"

#define PENDING_MAX	262144	/* octets of answers a front-end may owe us */

static struct key_set	*keys_current;
static struct key_set	*keys_previous;
static struct key_set	*keys_next;	/* of the generation being prepared */
static uint32_t		 next_generation;
static char		 next_error[256];

/* --- configuration --- */

static int
keys_early(void)
{
	if (key_store_init() == -1)
		log_notice("event=keys-memory locked=no");
	return 0;
}

/* Read all of fd into buf. Returns the length, or -1: error or too long. */
static ssize_t
read_all(int fd, char *buf, size_t size)
{
	size_t	 len = 0;
	ssize_t	 n;

	for (;;) {
		n = read(fd, buf + len, size - len);
		if (n == -1)
			return -1;
		if (n == 0)
			return (ssize_t)len;
		len += (size_t)n;
		if (len == size)
			return -1;
	}
}

static void
next_forget(void)
{
	key_set_free(keys_next);
	keys_next = NULL;
	next_error[0] = '\0';
}

/* Have a set for this generation; what a forgotten one left is dropped. */
static void
next_begin(uint32_t generation)
{
	if (keys_next != NULL && next_generation != generation)
		next_forget();
	next_generation = generation;
	if (keys_next == NULL && (keys_next = key_set_new()) == NULL)
		fatal("event=keys error=\"out of memory\"");
}

/* Errors are kept for keys_check(), which can tell them to msad. */
static int
keys_file(uint32_t generation, enum ipc_file what, struct slice name, int fd)
{
	static char	 buf[KEY_FILE_MAX];
	ssize_t		 len;

	if (what != FILE_PKI_KEY) {
		close(fd);
		return -1;
	}
	next_begin(generation);
	len = read_all(fd, buf, sizeof(buf));
	close(fd);
	if (len == -1)
		snprintf(next_error, sizeof(next_error),
		    "pki %.*s: cannot read the key file", SLICE_FMT(name));
	else
		(void)key_set_add(keys_next, name, SLICE(buf, len),
		    next_error, sizeof(next_error));
	explicit_bzero(buf, sizeof(buf));
	return 0;
}

static int
keys_check(struct conf *conf, uint32_t generation, char *reason, size_t size)
{
	struct conf_pki	*pki;

	next_begin(generation);
	if (next_error[0] != '\0') {
		snprintf(reason, size, "%s", next_error);
		return -1;
	}
	TAILQ_FOREACH(pki, &conf->pkis, entry) {
		if (key_set_has(keys_next, pki->name))
			continue;
		snprintf(reason, size, "pki %s: no key", pki->name);
		return -1;
	}
	return 0;
}

static void
keys_commit(struct conf *conf, uint32_t generation)
{
	(void)conf;
	next_begin(generation);
	key_set_free(keys_previous);
	keys_previous = keys_current;
	keys_current = keys_next;
	keys_next = NULL;
	next_error[0] = '\0';
	log_info("event=keys-loaded generation=%u keys=%zu", generation,
	    key_set_count(keys_current));
}

static void
keys_abort(uint32_t generation)
{
	if (generation == next_generation)
		next_forget();
}

/* --- requests --- */

/* At most a line a second, with the number of those left out. */
static void
log_refused(struct ipc *ch, const char *reason)
{
	static unsigned int	 left_out;
	static time_t		 last;
	struct timespec		 now;

	stats_inc(STAT_KEYS_REFUSED);
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (last != 0 && now.tv_sec == last) {
		left_out++;
		return;
	}
	log_warn("event=sign-refused peer=frontend[%u] reason=\"%s\" "
	    "left-out=%u", ipc_peer_index(ch), reason, left_out);
	last = now.tv_sec;
	left_out = 0;
}

static const struct key *
keys_find(const uint8_t *id)
{
	const struct key	*key = NULL;

	if (keys_current != NULL)
		key = key_set_find(keys_current, id);
	if (key == NULL && keys_previous != NULL)
		key = key_set_find(keys_previous, id);
	return key;
}

static int
keys_sign(struct ipc *ch, struct ipc_msg *msg, void *arg)
{
	uint8_t			 sig[KEY_SIG_MAX];
	const struct key	*key;
	const char		*reason = "no such key";
	const uint8_t		*id;
	struct ipc_reader	 r;
	struct slice		 digest, tbs;
	uint8_t			 padding;
	int			 len = -1;

	(void)arg;
	ipc_reader(&r, msg);
	id = ipc_get_raw(&r, KEY_ID_LEN);
	padding = ipc_get_u8(&r);
	digest = ipc_get_str(&r);
	tbs = ipc_get_bytes(&r);
	if (!ipc_done(&r) || ipc_pending(ch) > PENDING_MAX)
		return -1;

	if ((key = keys_find(id)) != NULL)
		len = key_sign(key, padding, digest, tbs, sig, &reason);
	if (len == -1)
		log_refused(ch, reason);
	else
		stats_inc(STAT_KEYS_SIGNED);
	ipc_start(ch, IPC_KEY_SIGNED, msg->sid);
	ipc_put_u8(ch, len != -1);
	ipc_put_bytes(ch, sig, len == -1 ? 0 : (size_t)len);
	ipc_send(ch);
	return 0;
}

static const struct ipc_handler frontend_handlers[] = {
	{ IPC_KEY_SIGN, keys_sign },
	{ 0, NULL }
};

static void
frontend_closed(struct ipc *ch, enum ipc_end end, void *arg)
{
	(void)arg;
	if (end == IPC_VIOLATION)
		child_condemn(ch);
	ipc_free(ch);
}

static int
keys_channel(enum ipc_role peer, uint32_t index, uint64_t epoch,
    struct slice name, int fd)
{
	struct ipc	*ch;

	(void)name;
	if (peer != ROLE_FRONTEND) {
		close(fd);
		return -1;
	}
	ch = ipc_new(fd, ROLE_KEYS, ROLE_FRONTEND, frontend_handlers,
	    frontend_closed, NULL);
	if (ch == NULL)
		return -1;
	ipc_set_peer(ch, index, epoch);
	return 0;
}

static const struct child keys_child = {
	.role = ROLE_KEYS,
	.name = "keys",
	.early = keys_early,
	.conf_file = keys_file,
	.conf_check = keys_check,
	.conf_commit = keys_commit,
	.conf_abort = keys_abort,
	.channel = keys_channel
};

int
main(int argc, char **argv)
{
	return child_main(&keys_child, argc, argv);
}
