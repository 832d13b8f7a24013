/* links: msad/queue/spool_*.c msad/queue/segment.c msad/queue/record.c */
/* links: msad/queue/flusher.c */
/*
 * The spool on a real file system with the real flusher: what is committed is
 * read back, also after opening again; segments are recycled; a second
 * instance and a foreign version are refused; damage is reported and skipped.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "common/crc32c.h"
#include "config.h"
#include "msad/queue/flusher.h"
#include "msad/queue/segment.h"
#include "msad/queue/spool.h"
#include "msad/queue/spool_io.h"
#include "msad/queue/spool_priv.h"

#define BIG	100000U		/* octets of an envelope over a window */

static struct event_base	*base;
static struct spool_io		*io;
static struct spool		*sp;
static struct spool_report	 report;
static char			 dir[64], err[160];
static int			 dirfd_ = -1;
static pid_t			 flusher_pid;
static unsigned int		 pending, results[8], found, found_states, bad;
static uint64_t			 ids[4096];
static unsigned int		 nids;
static char			 state[64];

static const struct spool_config cfg = { .segment_size = 256 * 1024,
	.inline_max = 16 * 1024, .gather_max = 256 * 1024 };

static void
on_message(void *arg, const struct spool_recovered *r)
{
	const uint8_t	*env = r->env;

	(void)arg;
	if (r->envlen == BIG)
		assert_true(env[0] == 'e' && env[BIG - 1] == 'f');
	else
		assert_true(r->envlen == 8 && memcmp(env, "envelope", 8) == 0);
	found++;
}

static void
on_state(void *arg, uint64_t id, uint32_t key, const void *p, size_t n)
{
	(void)arg;
	(void)id;
	(void)key;
	found_states++;
	assert_true(n < sizeof(state));
	memcpy(state, p, n);
	state[n] = '\0';
}

static void
on_trouble(void *arg, const char *place, uint64_t off, const char *text)
{
	(void)arg;
	(void)place;
	(void)off;
	(void)text;
	bad++;
}

static const struct spool_events events = { .message = on_message,
	.state = on_state, .trouble = on_trouble };

static void
on_lost(void *arg)
{
	(void)arg;
	fail_msg("flusher lost");
}

static void
on_done(void *arg, enum spool_result result)
{
	(void)arg;
	results[result]++;
	pending--;
}

static struct spool *
try_open(void)
{
	found = found_states = bad = 0;
	return spool_open(dirfd_, io, &cfg, &events, &report, err,
	    sizeof(err));
}

static void
start(void)
{
	int	sock = flusher_start(&flusher_pid);

	assert_true(sock != -1);
	base = event_base_new();
	io = spool_io_new(base, sock, on_lost, NULL);
	assert_non_null(io);
	sp = try_open();
	if (sp == NULL)
		fail_msg("%s", err);
}

static void
stop(void)
{
	spool_close(sp);
	sp = NULL;
	spool_io_free(io);
	event_base_free(base);
	waitpid(flusher_pid, NULL, 0);
}

static void
settle(void)
{
	while (pending > 0 || (sp != NULL && !spool_idle(sp)))
		event_base_loop(base, EVLOOP_ONCE);
}

static int
setup(void **s)
{
	(void)s;
	snprintf(dir, sizeof(dir), "/tmp/t_spool.XXXXXX");
	if (mkdtemp(dir) == NULL ||
	    (dirfd_ = open(dir, O_RDONLY | O_DIRECTORY)) == -1)
		return -1;
	memset(results, 0, sizeof(results));
	nids = pending = 0;
	start();
	return 0;
}

static void
clean(const char *sub)
{
	char		 path[512];
	struct dirent	*e;
	DIR		*d;

	snprintf(path, sizeof(path), "%s/%s", dir, sub);
	if ((d = opendir(path)) == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(path);
}

static int
teardown(void **s)
{
	(void)s;
	stop();
	clean("log");
	clean("bodies");
	clean(".");
	close(dirfd_);
	rmdir(dir);
	return 0;
}

static void
fill(uint8_t *buf, size_t n, uint64_t id)
{
	size_t	i;

	for (i = 0; i < n; i++)
		buf[i] = (uint8_t)(id * 31 + i * 7 + (i >> 8));
}

static uint64_t
put(size_t n)
{
	struct spool_message	*m;
	enum spool_result	 result;
	uint64_t		 id;
	uint8_t			*buf = malloc(n + 1);

	m = spool_message_begin(sp, 0, &result);
	assert_non_null(m);
	id = spool_message_id(m);
	fill(buf, n, id);
	assert_int_equal(spool_message_append(m, buf, n), SPOOL_OK);
	free(buf);
	pending++;
	spool_message_commit(m, "envelope", 8, "prefix", 6, on_done, NULL);
	assert_true(nids < 4096);
	ids[nids++] = id;
	return id;
}

static void
get(uint64_t id, size_t n)
{
	struct spool_content	 c;
	uint8_t			*want = malloc(n + 1), *got = malloc(n + 7);
	ssize_t			 k, len = 0;

	fill(want, n, id);
	assert_int_equal(spool_content_open(sp, id, &c), SPOOL_OK);
	assert_int_equal(spool_content_verify(&c), SPOOL_OK);
	assert_int_equal(c.envlen, 8);
	while ((k = spool_content_read(&c, (uint64_t)len, got + len,
	    n + 7 - (size_t)len)) > 0)
		len += k;
	assert_int_equal(len, n + 6);
	assert_memory_equal(got, "prefix", 6);
	assert_memory_equal(got + 6, want, n);
	spool_content_close(&c);
	free(want);
	free(got);
}

static void
remove_id(uint64_t id)
{
	pending++;
	spool_remove(sp, id, on_done, NULL);
}

static void
commit_and_read(void **s)
{
	size_t	sizes[] = { 0, 1, 5000, 16 * 1024, 16 * 1024 + 1, 900000 };
	size_t	i;

	(void)s;
	for (i = 0; i < 6; i++)
		put(sizes[i]);
	settle();
	assert_int_equal(results[SPOOL_OK], 6);
	for (i = 0; i < 6; i++)
		get(ids[i], sizes[i]);
	stop();
	start();
	assert_int_equal(found, 6);
	assert_int_equal(report.bad, 0);
	for (i = 0; i < 6; i++)
		get(ids[i], sizes[i]);
	assert_true(put(10) > ids[5]);
	settle();
}

static void
states_and_removal(void **s)
{
	uint64_t	id = put(100);
	void		*buf;
	size_t		 len;

	(void)s;
	settle();
	pending += 3;
	spool_update(sp, id, 1, "old", 3, on_done, NULL);
	spool_update(sp, id, 1, "newer", 5, on_done, NULL);
	spool_update(sp, 17, 0, "register", 8, on_done, NULL);
	settle();
	assert_int_equal(spool_state_read(sp, id, 1, &buf, &len), SPOOL_OK);
	assert_int_equal(len, 5);
	assert_memory_equal(buf, "newer", 5);
	free(buf);
	stop();
	start();
	assert_int_equal(found, 1);
	assert_int_equal(found_states, 2);
	assert_string_equal(state, "newer");
	remove_id(id);
	remove_id(id);
	settle();
	assert_int_equal(results[SPOOL_OK], 5);
	assert_int_equal(results[SPOOL_NOENT], 1);
	pending++;
	spool_update(sp, id, 1, "late", 4, on_done, NULL);
	settle();
	assert_int_equal(results[SPOOL_NOENT], 2);
	stop();
	start();
	assert_int_equal(found, 0);
	assert_int_equal(found_states, 1);
}

static void
bounds(void **s)
{
	struct spool_message	*m;
	enum spool_result	 result;
	uint8_t			*big = calloc(1, SPOOL_ENVELOPE_MAX + 1);

	(void)s;
	m = spool_message_begin(sp, 0, &result);
	pending += 2;
	spool_message_commit(m, big, SPOOL_ENVELOPE_MAX + 1, "", 0, on_done,
	    NULL);
	spool_update(sp, 1, 1, big, SPOOL_STATE_MAX + 1, on_done, NULL);
	settle();
	assert_int_equal(results[SPOOL_TOOBIG], 2);
	free(big);
}

/* Much more passes through than the log may hold: segments are used again. */
static void
recycling(void **s)
{
	struct spool_stats	st;
	uint64_t		keep, last[32];
	unsigned int		round, i;

	(void)s;
	keep = put(3000);
	settle();
	for (round = 0; round < 40; round++) {
		nids = 1;
		for (i = 0; i < 32; i++)
			last[i] = put(10000);
		settle();
		for (i = 0; i < 32; i++)
			remove_id(last[i]);
		settle();
		spool_tick(sp);
	}
	for (i = 0; i < 200; i++) {
		spool_tick(sp);
		settle();
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	spool_get_stats(sp, &st);
	assert_int_equal(st.messages, 1);
	assert_true(st.log_bytes <= 20 * cfg.segment_size);
	assert_true(st.recycled > 20);
	get(keep, 3000);
	stop();
	start();
	assert_int_equal(found, 1);
	get(keep, 3000);
}

static void
second_instance(void **s)
{
	(void)s;
	assert_null(try_open());
	assert_non_null(strstr(err, "in use by another"));
}

static void
first_segment(char *path, size_t size)
{
	struct dirent	*e;
	DIR		*d;
	char		 sub[256];

	snprintf(sub, sizeof(sub), "%s/log", dir);
	d = opendir(sub);
	assert_non_null(d);
	path[0] = '\0';
	while ((e = readdir(d)) != NULL) {
		if (strlen(e->d_name) != 16)
			continue;
		snprintf(sub, sizeof(sub), "%.64s/log/%.16s", dir, e->d_name);
		if (path[0] == '\0' || strcmp(sub, path) < 0)
			strlcpy(path, sub, size);
	}
	closedir(d);
}

static void
foreign_version(void **s)
{
	uint8_t	h[64];
	char	path[256];
	int	fd;

	(void)s;
	put(10);
	settle();
	spool_close(sp);
	first_segment(path, sizeof(path));
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, h, sizeof(h), 0), sizeof(h));
	h[8] = 9;
	le32_put(h + 60, crc32c(0, h, 60));
	assert_int_equal(pwrite(fd, h, sizeof(h), 0), sizeof(h));
	sp = try_open();
	assert_null(sp);
	assert_non_null(strstr(err, "format version 9"));
	h[8] = 1;
	le32_put(h + 60, crc32c(0, h, 60));
	assert_int_equal(pwrite(fd, h, sizeof(h), 0), sizeof(h));
	close(fd);
	sp = try_open();
	assert_non_null(sp);
	assert_int_equal(found, 1);
}

/* One record damaged in the middle: reported with its place, rest kept. */
static void
damage(void **s)
{
	uint64_t	off;
	uint8_t		b;
	char		path[256];
	int		fd, i;

	(void)s;
	for (i = 0; i < 6; i++) {
		put(3000);
		settle();
	}
	spool_close(sp);
	first_segment(path, sizeof(path));
	fd = open(path, O_RDWR);
	off = SEGMENT_BLOCK * 4 + 1000;		/* the third message's body */
	assert_int_equal(pread(fd, &b, 1, (off_t)off), 1);
	b ^= 1;
	assert_int_equal(pwrite(fd, &b, 1, (off_t)off), 1);
	close(fd);
	sp = try_open();
	assert_non_null(sp);
	assert_int_equal(found, 5);
	assert_true(report.bad > 0 && bad > 0);
	get(ids[5], 3000);
	get(ids[0], 3000);
}

/* Flip an octet of each digest, or remove them; how many there were. */
static unsigned int
spoil_digests(int remove)
{
	struct dirent	*e;
	DIR		*d;
	char		 sub[256];
	uint8_t		 b;
	unsigned int	 n = 0;
	int		 fd;

	snprintf(sub, sizeof(sub), "%s/log", dir);
	assert_non_null(d = opendir(sub));
	while ((e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, "digest-", 7) != 0)
			continue;
		n++;
		if (remove) {
			assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
			continue;
		}
		fd = openat(dirfd(d), e->d_name, O_RDWR);
		assert_int_equal(pread(fd, &b, 1, 40 + 64), 1);
		b ^= 4;
		assert_int_equal(pwrite(fd, &b, 1, 40 + 64), 1);
		close(fd);
	}
	closedir(d);
	return n;
}

static void
put_big_envelope(void)
{
	static uint8_t		 env[BIG];
	struct spool_message	*m;
	enum spool_result	 result;

	memset(env, 'e', sizeof(env));
	env[BIG - 1] = 'f';
	assert_non_null(m = spool_message_begin(sp, 0, &result));
	pending++;
	spool_message_commit(m, env, sizeof(env), "", 0, on_done, NULL);
}

/* The same 60 messages and 2 states, so many of its segments by digest. */
static void
restart_finds(int some)
{
	unsigned int	i;

	stop();
	start();
	assert_int_equal(found, 60);
	assert_int_equal(found_states, 2);
	assert_int_equal(report.bad, 0);
	assert_int_equal(report.messages, 60);
	assert_true(some ? report.digests >= 2 : report.digests == 0);
	for (i = 1; i < 60; i++)
		get(ids[i], 10000);
}

/* Full segments have digests, which need not be there and may be wrong. */
static void
digests(void **s)
{
	unsigned int	i;

	(void)s;
	for (i = 0; i < 60; i++) {
		put(10000);
		if (i == 20)
			put_big_envelope();
	}
	settle();
	remove_id(ids[0]);
	for (i = 0; i < 5; i++) {
		pending += 2;
		spool_update(sp, ids[i == 4 ? 59 : 3], 7, state, 5, on_done,
		    NULL);
		spool_update(sp, 9, i, "", 0, on_done, NULL);
		settle();
	}
	restart_finds(1);
	assert_true(spoil_digests(1) >= 3);
	restart_finds(0);
	restart_finds(1);
	assert_true(spoil_digests(0) >= 3);
	restart_finds(0);
	restart_finds(1);
	for (i = 1; i < 60; i++)
		remove_id(ids[i]);
	for (i = 0; i < 50; i++) {
		settle();
		spool_tick(sp);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	/* and go with their segments; the big envelope's message stays */
	assert_true(spoil_digests(1) <= 3);
}

/* Files in a directory of the spool. */
static unsigned int
count(const char *sub)
{
	char		 path[512];
	struct dirent	*e;
	DIR		*d;
	unsigned int	 n = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, sub);
	assert_non_null(d = opendir(path));
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/*
 * 64 messages of that size at once, by pieces of all in turn: within the bound,
 * and whole. Returns how many of them have files of their own.
 */
static unsigned int
at_once(int flags, size_t size, size_t piece)
{
	static uint8_t		 buf[64 * 1024];
	struct spool_message	*m[64];
	enum spool_result	 result;
	unsigned int		 i, files;
	size_t			 off, n;

	for (i = 0; i < 64; i++)
		assert_non_null(m[i] = spool_message_begin(sp, flags,
		    &result));
	for (off = 0; off < size; off += n) {
		n = size - off < piece ? size - off : piece;
		for (i = 0; i < 64; i++) {
			fill(buf, size, spool_message_id(m[i]));
			assert_int_equal(spool_message_append(m[i], buf + off,
			    n), SPOOL_OK);
			assert_true(sp->gathered <= cfg.gather_max +
			    64 * 4096);
		}
	}
	files = count("bodies");
	for (i = 0; i < 64; i++) {
		ids[nids++] = spool_message_id(m[i]);
		pending++;
		spool_message_commit(m[i], "envelope", 8, "prefix", 6, on_done,
		    NULL);
	}
	settle();
	assert_int_equal(results[SPOOL_OK], nids);
	assert_int_equal(sp->gathered, 0);
	for (i = 0; i < 64; i++)
		get(ids[nids - 64 + i], size);
	return files;
}

/* P6: many messages arriving at once take no more memory than gather_max. */
static void
gathering_is_bounded(void **s)
{
	(void)s;
	assert_int_equal(at_once(0, 64 * 1024, 2048), 64);
}

/*
 * Small ones that go beyond it are no files of their own for that, and their
 * places are used again.
 */
static void
small_ones_have_no_files(void **s)
{
	uint32_t	places;

	(void)s;
	/* what a crash has left */
	close(openat(dirfd_, NAME_SCRATCH, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(at_once(0, 12000, 500), 0);
	assert_true((places = sp->nplaces) > 0);
	assert_int_equal(sp->nidle, places);
	assert_int_equal(at_once(0, 16 * 1024, 5000), 0);
	assert_true(sp->nplaces <= 64);
	assert_int_equal(sp->nidle, sp->nplaces);
	/* from the place to a file of its own */
	assert_int_equal(at_once(0, 16 * 1024 + 1, 3000), 64);
	assert_int_equal(sp->nidle, sp->nplaces);
	assert_int_equal(count("."), 3);	/* bodies, lock, log */
}

/* What is announced as large is in its file from the beginning. */
static void
large_ones_gather_nothing(void **s)
{
	(void)s;
	assert_int_equal(at_once(SPOOL_MESSAGE_LARGE, 9000, 3000), 64);
	assert_int_equal(at_once(SPOOL_MESSAGE_LARGE, 40000, 5000), 128);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_setup_teardown(commit_and_read, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(states_and_removal, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(recycling, setup, teardown),
		cmocka_unit_test_setup_teardown(second_instance, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(foreign_version, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(damage, setup, teardown),
		cmocka_unit_test_setup_teardown(digests, setup, teardown),
		cmocka_unit_test_setup_teardown(gathering_is_bounded, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(small_ones_have_no_files,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(large_ones_gather_nothing,
		    setup, teardown)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
