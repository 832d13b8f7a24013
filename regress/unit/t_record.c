/* links: msad/queue/record.c msad/queue/segment.c */
/*
 * Records and segments of the spool as octets: what is written is read again,
 * anything else is refused, torn and damaged are told apart (P-dur-1, P-dur-4).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crc32c.h"
#include "config.h"
#include "msad/queue/segment.h"

#define SIZE	(16U * SEGMENT_BLOCK)
#define EPOCH	7U
#define KEY	UINT64_C(0x1234567890abcdef)
#define SEED	(EPOCH ^ KEY)

static uint8_t	seg[SIZE];

struct seen {
	unsigned int	records, bad;
	uint64_t	last_id, bad_off;
};

/* Write a batch of n state records, ids from id on, at off; its end. */
static size_t
put_batch(size_t off, uint64_t id, unsigned int n, size_t payload)
{
	struct record	r = { .type = RECORD_STATE }, b = { .type =
	    RECORD_BATCH };
	size_t		at = off + RECORD_HEADER;
	unsigned int	i;

	for (i = 0; i < n; i++) {
		r.id = id + i;
		r.key = i;
		r.len = (uint32_t)payload;
		memset(seg + at + RECORD_HEADER, (int)('a' + i), payload);
		r.crc = crc32c(0, seg + at + RECORD_HEADER, payload);
		record_encode(seg + at, &r);
		record_seal(seg + at, SEED, at);
		at += RECORD_SIZE(payload);
	}
	b.len = (uint32_t)(at - off - RECORD_HEADER);
	b.key = n;
	b.id = EPOCH;
	b.bodylen = off;
	record_encode(seg + off, &b);
	record_seal(seg + off, SEED, off);
	return off + BATCH_SIZE(b.len);
}

static void
on_record(void *arg, const struct record *r, const uint8_t *p, uint64_t off)
{
	struct seen	*s = arg;

	(void)p;
	(void)off;
	s->records++;
	s->last_id = r->id;
}

static void
on_bad(void *arg, uint64_t off, const char *text)
{
	struct seen	*s = arg;

	(void)text;
	if (s->bad++ == 0)
		s->bad_off = off;
}

static struct segment_scan
scan(struct seen *seen, uint64_t end)
{
	struct segment_scan	s = { .p = seg, .size = SIZE, .epoch = EPOCH,
	    .key = KEY, .end = end, .record = on_record, .bad = on_bad };

	memset(seen, 0, sizeof(*seen));
	s.arg = seen;
	segment_scan(&s);
	return s;
}

static void
crc_known(void **state)
{
	static const char	digits[] = "123456789";
	uint8_t			buf[300];
	size_t			i;

	(void)state;
	assert_int_equal(crc32c(0, digits, 9), 0xe3069283);
	assert_int_equal(crc32c_table(0, digits, 9), 0xe3069283);
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 37 + (i >> 3));
	for (i = 0; i < sizeof(buf); i++)
		assert_int_equal(crc32c(5, buf, i), crc32c_table(5, buf, i));
	assert_int_equal(crc32c(crc32c(0, buf, 100), buf + 100, 200),
	    crc32c(0, buf, 300));
}

static void
record_round_trip(void **state)
{
	struct record	r = { .type = RECORD_MESSAGE, .flags = 0, .len = 60,
	    .key = 9, .id = UINT64_C(0x123456789abc), .envlen = 10,
	    .prefixlen = 20, .bodylen = 30, .bodycrc = 77, .crc = 88 }, q;
	uint8_t		p[RECORD_HEADER];

	(void)state;
	record_encode(p, &r);
	record_seal(p, SEED, 4096);
	assert_int_equal(record_parse(p, sizeof(p), SEED, 4096, &q),
	    RECORD_OK);
	assert_int_equal(q.type, r.type);
	assert_int_equal(q.len, r.len);
	assert_int_equal(q.key, r.key);
	assert_true(q.id == r.id);
	assert_int_equal(q.envlen, r.envlen);
	assert_int_equal(q.prefixlen, r.prefixlen);
	assert_true(q.bodylen == r.bodylen);
	assert_int_equal(q.bodycrc, r.bodycrc);
	assert_int_equal(q.crc, r.crc);
}

static void
record_elsewhere(void **state)
{
	struct record	r = { .type = RECORD_REMOVE, .id = 1 }, q;
	uint8_t		p[RECORD_HEADER];
	size_t		i;

	(void)state;
	record_encode(p, &r);
	record_seal(p, SEED, 4096);
	/* another place, another epoch, another spool, too little */
	assert_int_equal(record_parse(p, sizeof(p), SEED, 4104, &q),
	    RECORD_NONE);
	assert_int_equal(record_parse(p, sizeof(p), SEED ^ 1, 4096, &q),
	    RECORD_NONE);
	assert_int_equal(record_parse(p, sizeof(p), EPOCH, 4096, &q),
	    RECORD_NONE);
	assert_int_equal(record_parse(p, sizeof(p) - 1, SEED, 4096, &q),
	    RECORD_NONE);
	for (i = 0; i < sizeof(p); i++) {
		p[i] ^= 0x40;
		assert_int_equal(record_parse(p, sizeof(p), SEED, 4096, &q),
		    RECORD_NONE);
		p[i] ^= 0x40;
	}
}

static void
record_lengths(void **state)
{
	static const struct record	bad[] = {
		{ .type = 0 },
		{ .type = RECORD_TABLE + 1 },
		{ .type = RECORD_STATE, .len = RECORD_MAX + 1 },
		{ .type = RECORD_REMOVE, .len = 1 },
		{ .type = RECORD_MESSAGE, .len = 10, .envlen = 11 },
		{ .type = RECORD_MESSAGE, .len = 10, .envlen = UINT32_MAX,
		    .prefixlen = 11 },
		{ .type = RECORD_MESSAGE, .len = 10, .bodylen = 9 },
		{ .type = RECORD_MESSAGE, .flags = RECORD_BODY_FILE,
		    .len = 10, .envlen = 9, .bodylen = 1 },
	};
	struct record	q;
	uint8_t		p[RECORD_HEADER];
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		record_encode(p, &bad[i]);
		record_seal(p, SEED, 0);
		assert_int_equal(record_parse(p, sizeof(p), SEED, 0, &q),
		    RECORD_NONE);
	}
}

static void
segment_header(void **state)
{
	uint8_t		p[SEGMENT_BLOCK];
	uint64_t	epoch, key;
	uint32_t	size, version;

	(void)state;
	segment_encode(p, EPOCH, KEY, SIZE);
	assert_int_equal(segment_parse(p, sizeof(p), &epoch, &key, &size,
	    &version), SEGMENT_OK);
	assert_true(epoch == EPOCH && key == KEY && size == SIZE);
	p[20] ^= 1;
	assert_int_equal(segment_parse(p, sizeof(p), &epoch, &key, &size,
	    &version), SEGMENT_BAD);
	segment_encode(p, EPOCH, KEY, SIZE);
	p[8] = 2;
	le32_put(p + 60, crc32c(0, p, 60));
	assert_int_equal(segment_parse(p, sizeof(p), &epoch, &key, &size,
	    &version), SEGMENT_FOREIGN);
	assert_int_equal(version, 2);
}

static void
scan_whole(void **state)
{
	struct segment_scan	s;
	struct seen		seen;
	size_t			off;

	(void)state;
	memset(seg, 0, sizeof(seg));
	off = put_batch(SEGMENT_BLOCK, 100, 3, 50);
	off = put_batch(off, 200, 2, 5000);
	s = scan(&seen, 0);
	assert_int_equal(seen.records, 5);
	assert_int_equal(seen.bad, 0);
	assert_int_equal(s.torn, 0);
	assert_true(s.tail == off);
}

/* The last batch bad: torn, none of it counts, nothing is reported. */
static void
scan_torn(void **state)
{
	struct segment_scan	s;
	struct seen		seen;
	size_t			off;

	(void)state;
	memset(seg, 0, sizeof(seg));
	off = put_batch(SEGMENT_BLOCK, 100, 3, 50);
	put_batch(off, 200, 2, 5000);
	memset(seg + off + 5632, 0, 512);
	s = scan(&seen, 0);
	assert_int_equal(seen.records, 3);
	assert_int_equal(seen.bad, 0);
	assert_int_equal(s.torn, 1);
	assert_true(s.tail == off);
}

/* The same where a later batch shows it was durable: damage, rest is kept. */
static void
scan_damaged(void **state)
{
	struct segment_scan	s;
	struct seen		seen;
	size_t			off, end;

	(void)state;
	memset(seg, 0, sizeof(seg));
	off = put_batch(SEGMENT_BLOCK, 100, 3, 50);
	end = put_batch(off, 200, 2, 5000);
	end = put_batch(end, 300, 1, 10);
	memset(seg + off + 5632, 0, 512);
	s = scan(&seen, 0);
	assert_int_equal(seen.records, 3 + 1 + 1);
	assert_true(seen.bad > 0);
	assert_true(seen.bad_off == off);
	assert_int_equal(s.torn, 0);
	assert_true(s.tail == end);
	assert_true(seen.last_id == 300);
}

/* A batch's header gone: its records are found all the same. */
static void
scan_headless(void **state)
{
	struct segment_scan	s;
	struct seen		seen;
	size_t			off, end;

	(void)state;
	memset(seg, 0, sizeof(seg));
	off = put_batch(SEGMENT_BLOCK, 100, 3, 50);
	end = put_batch(off, 200, 4, 70);
	seg[off + 52] ^= 1;
	s = scan(&seen, end);
	assert_int_equal(seen.records, 7);
	assert_int_equal(seen.bad, 1);
	assert_true(s.tail == end);
	/* not known to have been durable: the tail */
	s = scan(&seen, 0);
	assert_int_equal(seen.records, 3);
	assert_int_equal(seen.bad, 0);
	assert_true(s.tail == off);
}

/* What stands behind the known end does not count, whole or not. */
static void
scan_end(void **state)
{
	struct segment_scan	s;
	struct seen		seen;
	size_t			off;

	(void)state;
	memset(seg, 0, sizeof(seg));
	off = put_batch(SEGMENT_BLOCK, 100, 3, 50);
	put_batch(off, 200, 2, 50);
	s = scan(&seen, off);
	assert_int_equal(seen.records, 3);
	assert_true(s.tail == off);
}

/* A record written into a message by a client is never taken for one. */
static void
scan_forged(void **state)
{
	struct record	r = { .type = RECORD_REMOVE, .id = 100 };
	struct seen	seen;
	size_t		off, end, at;

	(void)state;
	memset(seg, 0, sizeof(seg));
	off = put_batch(SEGMENT_BLOCK, 100, 1, 50);
	end = put_batch(off, 200, 1, 3000);
	at = off + 1024;
	record_encode(seg + at, &r);
	record_seal(seg + at, EPOCH, at);	/* knows all but the key */
	seg[off] ^= 1;
	scan(&seen, end);
	assert_int_equal(seen.records, 1);
	assert_true(seen.last_id == 100);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(crc_known),
		cmocka_unit_test(record_round_trip),
		cmocka_unit_test(record_elsewhere),
		cmocka_unit_test(record_lengths),
		cmocka_unit_test(segment_header),
		cmocka_unit_test(scan_whole),
		cmocka_unit_test(scan_torn),
		cmocka_unit_test(scan_damaged),
		cmocka_unit_test(scan_headless),
		cmocka_unit_test(scan_end),
		cmocka_unit_test(scan_forged)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
