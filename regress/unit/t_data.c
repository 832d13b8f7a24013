/* links: msad/frontend/data.c */
/* DATA to clean octets: strict ends, dots, any split (X-smug-1). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "msad/frontend/data.h"

struct result {
	char		 text[4096];
	size_t		 len;
	size_t		 used;
	struct data	 d;
};

static void
feed(struct result *r, const char *p, size_t n)
{
	struct data_run	run;
	size_t		i, used, sum;

	while (n > 0 && r->d.state != DATA_END) {
		used = data_decode(&r->d, SLICE(p, n), &run);
		assert_true(used > 0 && used <= n);
		for (i = sum = 0; i < run.n; i++) {
			assert_true(run.slices[i].len > 0);
			assert_true(run.slices[i].p >= p &&
			    run.slices[i].p + run.slices[i].len <= p + used);
			memcpy(r->text + r->len, run.slices[i].p,
			    run.slices[i].len);
			r->len += run.slices[i].len;
			sum += run.slices[i].len;
		}
		assert_int_equal(sum, run.octets);
		p += used;
		n -= used;
		r->used += used;
	}
	assert_int_equal(r->len, r->d.size);
}

static void
same(const struct result *a, const struct result *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->text, b->text, a->len);
	assert_int_equal(a->used, b->used);
	assert_int_equal(a->d.state, b->d.state);
	assert_int_equal(a->d.faults, b->d.faults);
	assert_int_equal(a->d.line, b->d.line);
}

struct dialogue {
	const char	*in;
	size_t		 len;
	const char	*out;		/* NULL: does not matter */
	unsigned int	 faults;
	size_t		 rest;		/* octets behind the end */
	bool		 open;		/* the end is not there */
};

#define D(in, out, faults, rest) \
	{ in, sizeof(in) - 1, out, faults, rest, false }
#define OPEN(in, out, faults) \
	{ in, sizeof(in) - 1, out, faults, 0, true }

static const struct dialogue dialogues[] = {
	D(".\r\n", "", 0, 0),
	D("a\r\n.\r\n", "a\r\n", 0, 0),
	D("a\r\n.\r\nQUIT\r\n", "a\r\n", 0, 6),
	D("..\r\n...\r\n..a\r\n.b\r\n.\r\n.\r\n",
	    ".\r\n..\r\n.a\r\nb\r\n", 0, 3),
	D("a\r\n\r\n.\r\nx", "a\r\n\r\n", 0, 1),
	D("a.\r\n.\r\n", "a.\r\n", 0, 0),
	OPEN("a\r\n.", "a\r\n", 0),
	D(".\r\n.\r\n", "", 0, 3),
	OPEN("a\r\n.\r", "a\r\n", 0),
	OPEN("a\r\n", "a\r\n", 0),
	OPEN("a\r", "a\r", 0),
	/* X-smug-1: none of these is an end. */
	D("a\n.\nMAIL FROM:<x@y>\r\n.\r\n", NULL, DATA_BARE_LF, 0),
	D("a\n.\r\nMAIL\r\n.\r\n", NULL, DATA_BARE_LF, 0),
	D("a\r\n.\nMAIL\r\n.\r\n", NULL, DATA_BARE_LF, 0),
	D("a\r.\rMAIL\r\n.\r\n", NULL, DATA_BARE_CR, 0),
	D("a\r\n.\rMAIL\r\n.\r\n", NULL, DATA_BARE_CR, 0),
	D("a\r.\r\nMAIL\r\n.\r\n", NULL, DATA_BARE_CR, 0),
	D("a\r\n\0.\r\nMAIL\r\n.\r\n", NULL, DATA_NUL, 0),
	D("a\r\n.\0\r\nMAIL\r\n.\r\n", NULL, DATA_NUL, 0),
	D("a\r\n.\r\rMAIL\r\n.\r\n", NULL, DATA_BARE_CR, 0),
	D("\n.\r\nx\r\n.\r\n", NULL, DATA_BARE_LF, 0),
	D("\r.\r\nx\r\n.\r\n", NULL, DATA_BARE_CR, 0),
	D("a\n\r\n.\r\n", NULL, DATA_BARE_LF, 0),
	D("a\r\r\n.\r\n", NULL, DATA_BARE_CR, 0),
	D("\r\n\r.\r\n\n.\r\n\0\r\n.\r\n", NULL,
	    DATA_BARE_CR | DATA_BARE_LF | DATA_NUL, 0),
};
#define NDIALOGUES	(sizeof(dialogues) / sizeof(dialogues[0]))

static void
t_X_smug_1(void **state)
{
	static struct result		 r;
	const struct dialogue		*d;
	size_t				 i;

	(void)state;
	for (i = 0; i < NDIALOGUES; i++) {
		d = &dialogues[i];
		memset(&r, 0, sizeof(r));
		feed(&r, d->in, d->len);
		if (d->open)
			assert_int_not_equal(r.d.state, DATA_END);
		else
			assert_int_equal(r.d.state, DATA_END);
		if (r.d.faults != d->faults)
			fail_msg("dialogue %zu: faults %#x", i, r.d.faults);
		assert_int_equal(d->len - r.used, d->rest);
		if (d->out != NULL) {
			assert_int_equal(r.len, strlen(d->out));
			assert_memory_equal(r.text, d->out, r.len);
		}
	}
}

/* R2920-3.2-b: one, two or three pieces, or octet by octet: no difference. */
static void
t_all_splits(void **state)
{
	static struct result		 whole, r;
	const struct dialogue		*d;
	size_t				 i, a, b;

	(void)state;
	for (i = 0; i < NDIALOGUES; i++) {
		d = &dialogues[i];
		memset(&whole, 0, sizeof(whole));
		feed(&whole, d->in, d->len);
		for (a = 0; a <= d->len; a++)
			for (b = a; b <= d->len; b++) {
				memset(&r, 0, sizeof(r));
				feed(&r, d->in, a);
				feed(&r, d->in + a, b - a);
				feed(&r, d->in + b, d->len - b);
				same(&whole, &r);
			}
		memset(&r, 0, sizeof(r));
		for (a = 0; a < d->len; a++)
			feed(&r, d->in + a, 1);
		same(&whole, &r);
	}
}

/* All strings of six octets over the ones that matter, one split each. */
static void
t_exhaustive(void **state)
{
	static const char	 letters[] = { '\r', '\n', '.', 'a', '\0' };
	static struct result	 whole, r;
	char			 s[11] = "......\r\n.\r\n";
	size_t			 i, k, v, ends;
	const char		*end;

	(void)state;
	memcpy(s + 6, "\r\n.\r\n", 5);
	for (i = 0; i < 15625; i++) {
		for (k = 0, v = i; k < 6; k++, v /= 5)
			s[k] = letters[v % 5];
		memset(&whole, 0, sizeof(whole));
		feed(&whole, s, sizeof(s));
		assert_int_equal(whole.d.state, DATA_END);
		/* The end is the first CRLF.CRLF, that of DATA counted. */
		if (memcmp(s, ".\r\n", 3) == 0)
			ends = 3;
		else {
			end = memmem(s, sizeof(s), "\r\n.\r\n", 5);
			ends = (size_t)(end - s) + 5;
		}
		assert_int_equal(whole.used, ends);
		for (k = 1; k < sizeof(s); k++) {
			memset(&r, 0, sizeof(r));
			feed(&r, s, k);
			feed(&r, s + k, sizeof(s) - k);
			same(&whole, &r);
		}
	}
}

static unsigned int
line_faults(size_t n, const char *before)
{
	struct data	 d;
	struct data_run	 run;
	char		*p = malloc(n + 16);
	size_t		 len, off = 0;

	assert_non_null(p);
	len = strlen(before);
	memcpy(p, before, len);
	memset(p + len, 'x', n);
	memcpy(p + len + n, "\r\n.\r\n", 5);
	len += n + 5;
	memset(&d, 0, sizeof(d));
	while (off < len)
		off += data_decode(&d, SLICE(p + off, len - off), &run);
	assert_int_equal(d.state, DATA_END);
	free(p);
	return d.faults;
}

static void
t_R5321_4_5_3_1_6(void **state)
{
	(void)state;
	assert_int_equal(line_faults(998, ""), 0);
	assert_int_equal(line_faults(999, ""), DATA_LONG);
	assert_int_equal(line_faults(997, ".."), 0);	/* the stuffed dot */
	assert_int_equal(line_faults(998, ".."), DATA_LONG);
	assert_int_equal(line_faults(998, "short\r\n"), 0);
	assert_int_equal(line_faults(65536, ""), DATA_LONG);
	assert_int_equal(line_faults(65537, ""), DATA_LONG | DATA_STOP);
	assert_null(data_fault(0));
	assert_non_null(data_fault(DATA_LONG));
}

/* More removed dots than slices: nothing is lost. */
static void
t_many_dots(void **state)
{
	static struct result	 r;
	char			 in[2000], want[2000];
	size_t			 i, n = 0, m = 0;

	(void)state;
	for (i = 0; i < 300; i++) {
		memcpy(in + n, "..a\r\n", 5);
		n += 5;
		memcpy(want + m, ".a\r\n", 4);
		m += 4;
	}
	memcpy(in + n, ".\r\n", 3);
	n += 3;
	memset(&r, 0, sizeof(r));
	feed(&r, in, n);
	assert_int_equal(r.d.state, DATA_END);
	assert_int_equal(r.len, m);
	assert_memory_equal(r.text, want, m);
}

/* Chunks: dots stay, the faults are those of DATA, at any split. */
static void
t_R6409_7_e(void **state)
{
	static const struct {
		const char	*in;
		size_t		 len;
		unsigned int	 faults;
		bool		 open;
	} rows[] = {
		{ ".\r\n..\r\na\r\n.\r\nQUIT\r\n", 19, 0, false },
		{ "a", 1, 0, true }, { "a\r\n", 3, 0, false },
		{ "a\r", 2, DATA_BARE_CR, true }, { "", 0, 0, false },
		{ "a\nb\r\n", 5, DATA_BARE_LF, false },
		{ "a\rb\r\n", 5, DATA_BARE_CR, false },
		{ "a\0b\r\n", 5, DATA_NUL, false },
		{ "\r\r\n", 3, DATA_BARE_CR, false },
	};
	struct data	 d;
	struct data_run	 run;
	size_t		 i, k, off, n;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (k = 1; k <= rows[i].len + 1; k++) {
			memset(&d, 0, sizeof(d));
			for (off = 0; off < rows[i].len; off += n) {
				n = rows[i].len - off < k ?
				    rows[i].len - off : k;
				data_chunk(&d, SLICE(rows[i].in + off, n),
				    &run);
				assert_int_equal(run.octets, n);
				assert_ptr_equal(run.slices[0].p,
				    rows[i].in + off);
			}
			assert_int_equal(d.size, rows[i].len);
			assert_int_equal(data_chunk_end(&d), rows[i].open);
			assert_int_equal(d.faults, rows[i].faults);
			assert_int_equal(d.state, DATA_END);
		}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_R6409_7_e),
		cmocka_unit_test(t_X_smug_1),
		cmocka_unit_test(t_all_splits),
		cmocka_unit_test(t_exhaustive),
		cmocka_unit_test(t_R5321_4_5_3_1_6),
		cmocka_unit_test(t_many_dots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
