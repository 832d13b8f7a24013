/* Address lists of header fields (RFC 5322 3.4, 4.4; RFC 6854). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/mailbox.h"
#include "common/rfc2047.h"

/*
 * A list as text: addresses in their least-quoted form with their names in
 * front, "name{ ... }" for groups, '!' behind what is obsolete, or the reason.
 */
static void
show(struct slice body, bool utf8, char *out, size_t size)
{
	struct mailbox_list	l;
	struct mailbox		m;
	char			name[1024];
	size_t			o = 0, n;
	int			r;

	out[0] = '\0';
	mailbox_begin(&l, body, utf8);
	while ((r = mailbox_next(&l, &m)) == 1) {
		assert_true(m.phrase.len < sizeof(name));
		n = mailbox_phrase(m.phrase, name);
		o += (size_t)snprintf(out + o, size - o, "%s%.*s%s%s%s%s",
		    o > 0 ? " " : "", (int)n, name,
		    m.kind == MAILBOX_GROUP ? "{" :
		    m.kind == MAILBOX_GROUP_END ? "}" : n > 0 ? "|" : "",
		    m.addr, m.eightbit ? "#" : "", m.obsolete ? "!" : "");
		assert_true(o < size);
	}
	if (l.obsolete)
		o += (size_t)snprintf(out + o, size - o, "!!");
	if (r == -1)
		snprintf(out, size, "? %s", l.reason);
}

static const struct {
	const char	*in;
	const char	*out;
} table[] = {
	{ "a@b.c", "a@b.c" },
	{ " <a@b.c>\r\n", "a@b.c" },
	{ "Ann Lee <a@b.c>", "Ann Lee|a@b.c" },
	{ "\"Ann, Lee\" <a@b.c>", "Ann, Lee|a@b.c" },
	{ "\"A\\\"B\\\\\"<a@b.c>", "A\"B\\|a@b.c" },
	{ "Ann\r\n Lee\r\n\t<a@b.c>", "Ann Lee|a@b.c" },
	{ "Ann (x) Lee <a@b.c>", "Ann Lee|a@b.c" },
	{ "a@b.c, d@e.f", "a@b.c d@e.f" },
	{ "a@b.c,\r\n X <d@e.f>", "a@b.c X|d@e.f" },
	{ "(c) a@b.c (d (e \\) f))", "a@b.c" },
	{ "a@b.c (\"x)", "a@b.c" },
	{ "=?utf-8?Q?J.?= <a@b.c>", "=?utf-8?Q?J.?=|a@b.c" },
	/* quoting: as little as will do */
	{ "\"a\"@b.c", "a@b.c" },
	{ "\"\\a\"@b.c", "a@b.c" },
	{ "\"a b\"@b.c", "\"a b\"@b.c" },
	{ "\"a\\\"b\"@b.c", "\"a\\\"b\"@b.c" },
	{ "\"\"@b.c", "\"\"@b.c" },
	{ "\"a.b\"@b.c", "a.b@b.c" },
	{ "\".a\"@b.c", "\".a\"@b.c" },
	{ "\"a@b\"@c.d", "\"a@b\"@c.d" },
	{ "!#$%&'*+-/=?^_`{|}~@b.c", "!#$%&'*+-/=?^_`{|}~@b.c" },
	{ "a@[192.0.2.1]", "a@[192.0.2.1]" },
	{ "a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]" },
	/* without a domain, for the caller to judge */
	{ "ann", "ann" },
	{ "Ann <ann>, bob", "Ann|ann bob" },
	/* groups */
	{ "undisclosed-recipients:;", "undisclosed-recipients{ }" },
	{ "A B:a@b.c, D <e@f.g>;", "A B{ a@b.c D|e@f.g }" },
	{ "\"A:B\": a@b.c ; , x@y.z", "A:B{ a@b.c } x@y.z" },
	{ "A:(nobody);,B:;", "A{ } B{ }" },
	/* obsolete (4.4), all in current form */
	{ "<@r.s:a@b.c>", "a@b.c!" },
	{ "<@r.s,@t.u:a@b.c>", "a@b.c!" },
	{ "X <,@r.s , ,@t.u : a@b.c>", "X|a@b.c!" },
	{ "a . b @ c . d", "a.b@c.d!" },
	{ "a(x).(y)b@c(z).d", "a.b@c.d!" },
	{ "a.\r\n b@c.d", "a.b@c.d!" },
	{ "< a@b.c >", "a@b.c!" },
	{ "\"a\".b@c.d", "a.b@c.d!" },
	{ "a@[ 192.0.2.1 ]", "a@[192.0.2.1]!" },
	{ "John Q. Public <a@b.c>", "John Q. Public|a@b.c!" },
	{ ",a@b.c,,d@e.f, ,", "a@b.c d@e.f!!" },
	{ "g:,a@b.c,;", "g{ a@b.c }!!" },
	{ "", "" },
	{ "(nothing)", "" },
	{ ", ,", "!!" },
	/* UTF-8 in names */
	{ "J\xc3\xbcrgen <a@b.c>", "J\xc3\xbcrgen|a@b.c#" },
	{ "\"\xc3\xbc\": a@b.c;", "\xc3\xbc{# a@b.c }" },
	/* not to be read */
	{ "a@b.c d@e.f", "? addresses without a comma between" },
	{ "<a@b.c> <d@e.f>", "? addresses without a comma between" },
	{ "<a@b.c> x", "? addresses without a comma between" },
	{ "a@b.c <d@e.f>", "? addresses without a comma between" },
	{ "a@b.c; d@e.f", "? a semicolon outside a group" },
	{ "a@", "? an address without a domain behind its @" },
	{ "a@b.", "? an address without a domain behind its @" },
	{ "a@.b", "? an address without a domain behind its @" },
	{ "a@b..c", "? an address without a domain behind its @" },
	{ "a@b@c.d", "? addresses without a comma between" },
	{ "a@[x][y]", "? addresses without a comma between" },
	{ "a@[\\]]", "? a domain literal that is not valid" },
	{ "a@[x", "? a domain literal that is not valid" },
	{ "@b.c", "? an address that does not begin with a name before its "
	    "@" },
	{ ".a@b.c", "? an address that does not begin with a name before its "
	    "@" },
	{ "a..b@c.d", "? an address that does not begin with a name before "
	    "its @" },
	{ "a.@c.d", "? an address that does not begin with a name before its "
	    "@" },
	{ "a b@c.d", "? an address that does not begin with a name before "
	    "its @" },
	{ "Ann Lee", "? an address that does not begin with a name before its "
	    "@" },
	{ "<>", "? empty angle brackets" },
	{ "<a@b.c", "? an address without its closing bracket" },
	{ "<a@b.c,d@e.f>", "? an address without its closing bracket" },
	{ "<a@b.c <d@e.f>>", "? an address without its closing bracket" },
	{ "<@r.s a@b.c>", "? a source route that is not valid" },
	{ "a>", "? an address that cannot be read" },
	{ ">", "? an address that cannot be read" },
	{ "\\a@b.c", "? an address that cannot be read" },
	{ "(a", "? a comment without its end" },
	{ "(a\\", "? a comment without its end" },
	{ "a@b.c (", "? a comment without its end" },
	{ "a@b.c )", "? addresses without a comma between" },
	{ "\"a", "? a quoted string without its end" },
	{ "\"a\\", "? a quoted string without its end" },
	{ "\"a\\\"@b.c", "? a quoted string without its end" },
	{ "\"\x01\"@b.c", "? a control character in a quoted string" },
	{ "\"\x7f\" <a@b.c>", "? a control character in a quoted string" },
	{ "(\x01) a@b.c", "? a control character in a comment" },
	{ "a\x01@b.c", "? an address that cannot be read" },
	{ ":a@b.c;", "? a group without a name" },
	{ "g:a@b.c", "? a group without its semicolon" },
	{ "g:h:;;", "? a group within a group" },
	{ "g:;;", "? a semicolon outside a group" },
	{ "g:; a@b.c", "? addresses without a comma between" },
	{ "a@b.c\r\nd", "? a line end that is no fold" },
	{ "a@b.c\r d", "? a line end that is no fold" },
	{ "a@b.c\n d", "? a line end that is no fold" },
	{ "\xc3\xbc@b.c", "? an address with characters outside ASCII" },
	{ "a@\xc3\xbc.c", "? an address with characters outside ASCII" },
	{ "(\xc3\xbc) a@b.c", "? characters outside ASCII in a comment" },
	{ "\xc3 <a@b.c>", "? octets that are not UTF-8" },
	{ "\xc0\x80 <a@b.c>", "? octets that are not UTF-8" },
	{ "\xed\xa0\x80 <a@b.c>", "? octets that are not UTF-8" },
	{ "\xf4\x90\x80\x80 <a@b.c>", "? octets that are not UTF-8" },
	{ "\xc2\x85 <a@b.c>", "? octets that are not UTF-8" },
};

static void
t_R5322_3_4_a(void **state)
{
	char	out[2048];
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		show(SLICE_STR(table[i].in), false, out, sizeof(out));
		if (strcmp(out, table[i].out) != 0)
			fail_msg("\"%s\": \"%s\" is not \"%s\"", table[i].in,
			    out, table[i].out);
	}
	show(SLICE("a\0b@c.d", 7), false, out, sizeof(out));
	assert_int_equal(out[0], '?');
	show(SLICE_STR("\xc3\xbc@\xc3\xb6.c (\xc3\xa4)"), true, out,
	    sizeof(out));
	assert_string_equal(out, "\xc3\xbc@\xc3\xb6.c");
}

static void
nested(unsigned int depth, const char *want)
{
	char	in[256] = "", out[256];

	while (strlen(in) < depth)
		strlcat(in, "(", sizeof(in));
	while (strlen(in) < 2 * depth)
		strlcat(in, ")", sizeof(in));
	strlcat(in, "a@b.c", sizeof(in));
	show(SLICE_STR(in), false, out, sizeof(out));
	assert_string_equal(out, want);
}

static void
t_R5322_3_2_2_a(void **state)
{
	(void)state;
	nested(32, "a@b.c");
	nested(33, "? comments nested deeper than 32");
}

static void
t_bounds(void **state)
{
	char	in[600], out[1024];

	(void)state;
	memset(in, 'a', sizeof(in));
	memcpy(in + 64, "@b.c", 5);
	show(SLICE_STR(in), false, out, sizeof(out));
	assert_string_equal(out, in);
	memset(in, 'a', 65);
	memcpy(in + 65, "@b.c", 5);
	show(SLICE_STR(in), false, out, sizeof(out));
	assert_string_equal(out, "? more than 64 octets before the @");
	memset(in, 'a', sizeof(in));
	in[1] = '@';
	in[2 + 255] = '\0';
	show(SLICE_STR(in), false, out, sizeof(out));
	assert_string_equal(out, in);
	in[2 + 255] = 'a';
	in[2 + 256] = '\0';
	show(SLICE_STR(in), false, out, sizeof(out));
	assert_string_equal(out, "? a domain longer than 255 octets");
}

/* The processor's time that a list of n octets takes, in seconds. */
static double
cost(const char *piece, size_t n)
{
	struct mailbox_list	l;
	struct mailbox		m;
	char			*p = malloc(n);
	size_t			 i, k = strlen(piece);
	clock_t			 start;

	assert_non_null(p);
	for (i = 0; i < n; i++)
		p[i] = piece[i % k];
	start = clock();
	mailbox_begin(&l, SLICE(p, n), false);
	while (mailbox_next(&l, &m) == 1)
		;
	free(p);
	return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* Sixteen times the octets: far from 256 times the time. */
static void
t_linear(void **state)
{
	static const char *const	pieces[] = {
		"a@b.c,", "()", "(", "\"", "a.", "a ", ",", "a:;,", "<@a,",
		"\\\"", "a@b.c ("
	};
	size_t				i;
	double				small, big;

	(void)state;
	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		small = cost(pieces[i], 65536);
		big = cost(pieces[i], 16 * 65536);
		if (big > 0.05 + 64 * small)
			fail_msg("\"%s\": %f, then %f", pieces[i], small, big);
	}
}

static void
encodes(const char *in, size_t column, const char *want)
{
	char	out[4096];
	size_t	n;

	n = rfc2047_encode(SLICE_STR(in), column, out);
	assert_true(n <= RFC2047_ROOM(strlen(in)));
	out[n] = '\0';
	assert_string_equal(out, want);
}

static void
t_R6409_6_5_a(void **state)
{
	char		 in[1001], out[RFC2047_ROOM(1000)], *line, *next;
	size_t		 i, n, column;

	(void)state;
	encodes("caf\xc3\xa9 a=b?_", 9,
	    "=?utf-8?Q?caf=C3=A9_a=3Db=3F=5F?=");
	encodes("\xe6\x97\xa5\xe6\x9c\xac", 9, "=?utf-8?B?5pel5pys?=");
	encodes("\xc3\xa9", 70, "\r\n =?utf-8?B?w6k=?=");
	/* Words of at most 75 octets, lines of at most 76, whole characters. */
	for (i = 0; i + 4 <= 1000; i += 4)
		memcpy(in + i, i % 8 ? "\xf0\x9f\x90\x88" : "\xc3\xa9""ab", 4);
	for (column = 0; column < 80; column++) {
		n = rfc2047_encode(SLICE(in, 1000), column, out);
		assert_true(n <= sizeof(out));
		out[n - 1] = '\0';
		for (line = out; line != NULL; line = next) {
			if ((next = strstr(line, "\r\n")) != NULL) {
				*next = '\0';
				next += 2;
			}
			assert_true(strlen(line) <= (line == out ?
			    RFC2047_WORD_MAX : 76));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(t_R5322_3_4_a),
		cmocka_unit_test(t_R5322_3_2_2_a),
		cmocka_unit_test(t_bounds),
		cmocka_unit_test(t_linear),
		cmocka_unit_test(t_R6409_6_5_a),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
