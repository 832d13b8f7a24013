/* MIME: encodings, structure and the conversion of parts, on any split. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"
#include "common/mime.h"
#include "common/mime_encode.h"
#include "common/mime_field.h"

#define BUF	(1024 * 1024)

struct result {
	char	 out[BUF];
	size_t	 len;
	int	 verdict;
	bool	 changed, top_changed;
	char	 fields[128];
	char	 reason[256];
};

static struct result	a, b;
static char		in[BUF];

static void
drain(struct result *r, struct mime *m)
{
	struct slice	s = mime_out(m);

	assert_true(s.len == 0 || mime_top_known(m));
	assert_true(r->len + s.len < sizeof(r->out));
	memcpy(r->out + r->len, s.p, s.len);
	r->len += s.len;
	mime_use(m, s.len);
}

static void
run(struct result *r, const char *section, const char *p, size_t n,
    size_t piece, bool binary)
{
	struct mime	*m = mime_new(SLICE_STR(section),
	    binary ? MIME_BINARY_IN : MIME_ON);
	size_t		 k;

	assert_non_null(m);
	r->len = 0;
	r->verdict = 0;
	for (; n > 0 && r->verdict == 0; p += k, n -= k) {
		k = n < piece ? n : piece;
		r->verdict = mime_take(m, p, k);
		drain(r, m);
	}
	if (r->verdict == 0)
		r->verdict = mime_end(m);
	drain(r, m);
	r->out[r->len] = '\0';
	r->changed = mime_changed(m);
	r->top_changed = mime_top_changed(m);
	strlcpy(r->fields, mime_top_fields(m), sizeof(r->fields));
	r->reason[0] = '\0';
	if (r->verdict == -1)
		strlcpy(r->reason, mime_reason(m), sizeof(r->reason));
	mime_free(m);
}

static void
converts(const char *section, const char *body, const char *expected)
{
	size_t	piece, n = strlen(body);

	for (piece = 1; piece <= n + 1; piece++) {
		run(&a, section, body, n, piece, false);
		assert_int_equal(a.verdict, 0);
		assert_string_equal(a.out, expected);
	}
	if (!a.changed)
		assert_memory_equal(body, expected, n);
}

static size_t
qp(const char *p, size_t n, size_t piece, bool close, char *out)
{
	struct qp	q = { 0 };
	size_t		len = 0, k;

	for (; n > 0; p += k, n -= k) {
		k = n < piece ? n : piece;
		len += qp_encode(&q, SLICE(p, k), out + len);
	}
	len += qp_end(&q, close, out + len);
	out[len] = '\0';
	return len;
}

static void
t_qp(void **state)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "", "" }, { "a\r\n", "a\r\n" }, { "a=b", "a=3Db=\r\n" },
		{ "\xc3\xa9\r\n", "=C3=A9\r\n" }, { "a \r\n", "a=20\r\n" },
		{ "a \t\r\n", "a =09\r\n" }, { "a\rb", "a=0Db=\r\n" },
		{ "a\nb\r\n", "a=0Ab\r\n" }, { "a\r\r\n", "a=0D\r\n" },
		{ ".\r\n.a\r\n", "=2E\r\n=2Ea\r\n" }, { " ", "=20=\r\n" },
		{ "a \r", "a =0D=\r\n" },
	};
	char	buf[1024];
	size_t	i, piece;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (piece = 1; piece < 6; piece++) {
			qp(rows[i].in, strlen(rows[i].in), piece, true, buf);
			assert_string_equal(buf, rows[i].out);
		}
}

/* No encoded line is over 76, whatever stands where. */
static void
t_qp_width(void **state)
{
	char		 text[300], buf[MIME_ENCODED(300) + 16], *p, *nl;
	size_t		 i, k;

	(void)state;
	for (k = 0; k < 100; k++) {
		for (i = 0; i < sizeof(text); i++)
			text[i] = (i * 7 + k) % 11 == 0 ? '\xe9' :
			    i % 5 == k % 5 ? ' ' : '-';
		qp(text, sizeof(text), 1 + k % 7, true, buf);
		for (p = buf; (nl = strstr(p, "\r\n")) != NULL; p = nl + 2) {
			assert_true(nl - p <= MIME_LINE);
			assert_true(p == buf || p[0] != '-');
			assert_true(nl[-1] == '=');
		}
		assert_int_equal(*p, '\0');
	}
}

static void
t_b64(void **state)
{
	char		 text[200], buf[MIME_ENCODED(200)], plain[400];
	uint8_t		 back[200];
	struct b64	 e;
	size_t		 n, i, len, piece, m;

	(void)state;
	for (i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 37);
	for (n = 0; n < sizeof(text); n++)
		for (piece = 1; piece < 5; piece++) {
			memset(&e, 0, sizeof(e));
			for (i = len = 0; i < n; i += piece)
				len += b64_encode(&e, SLICE(text + i,
				    n - i < piece ? n - i : piece), buf + len);
			len += b64_end(&e, true, buf + len);
			assert_true(n == 0 || memcmp(buf + len - 2, "\r\n",
			    2) == 0);
			for (i = m = 0; i < len; i++)
				if (buf[i] != '\r' && buf[i] != '\n')
					plain[m++] = buf[i];
			assert_int_equal(base64_decode(SLICE(plain, m), back,
			    sizeof(back)), (int)n);
			assert_memory_equal(back, text, n);
		}
}

static void
t_fields(void **state)
{
	static const struct {
		const char	*section;
		enum mime_kind	 kind;
		enum mime_cte	 cte;
		const char	*boundary;
	} rows[] = {
		{ "", MIME_TEXT, MIME_NONE, "" },
		{ "Content-Type: text/html\r\n", MIME_TEXT, MIME_NONE, "" },
		{ "content-type: TEXT / (x) html; charset=\"a;b\"\r\n",
		    MIME_TEXT, MIME_NONE, "" },
		{ "Content-Type: multipart/mixed; boundary=\"a b\\\"c\"\r\n",
		    MIME_MULTIPART, MIME_NONE, "a b\"c" },
		{ "Content-Type: multipart/mixed;\r\n\tboundary=x;;\r\n",
		    MIME_OPAQUE, MIME_NONE, "x" },
		{ "Content-Type: multipart/mixed;\r\n\tboundary=x;\r\n",
		    MIME_MULTIPART, MIME_NONE, "x" },
		{ "Content-Type: multipart/mixed\r\n", MIME_OPAQUE, MIME_NONE,
		    "" },
		{ "Content-Type: multipart/mixed; boundary=\"\"\r\n",
		    MIME_OPAQUE, MIME_NONE, "" },
		{ "Content-Type: multipart/mixed; boundary=a; boundary=b\r\n",
		    MIME_OPAQUE, MIME_NONE, "a" },
		{ "Content-Type: multipart/Signed; boundary=a\r\n",
		    MIME_SEALED, MIME_NONE, "a" },
		{ "Content-Type: application/PKCS7-mime\r\n", MIME_SEALED,
		    MIME_NONE, "" },
		{ "Content-Type: image/png\r\nContent-Transfer-Encoding: "
		    "8BIT (x)\r\n", MIME_OTHER, MIME_8BIT, "" },
		{ "Content-Transfer-Encoding: x-uuencode\r\n", MIME_TEXT,
		    MIME_UNKNOWN, "" },
		{ "Content-Transfer-Encoding: 7bit\r\n"
		    "Content-Transfer-Encoding: 8bit\r\n", MIME_TEXT,
		    MIME_UNKNOWN, "" },
		{ "Content-Type: text/plain\r\nContent-Type: text/html\r\n",
		    MIME_OPAQUE, MIME_NONE, "" },
		{ "Content-Type: garbage\r\n", MIME_OPAQUE, MIME_NONE, "" },
		{ "no field\r\n", MIME_OPAQUE, MIME_NONE, "" },
	};
	struct mime_part	part;
	size_t			i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mime_part_parse(SLICE_STR(rows[i].section), &part);
		if (part.kind != rows[i].kind || part.cte != rows[i].cte)
			fail_msg("row %zu: %d %d", i, (int)part.kind,
			    (int)part.cte);
		assert_string_equal(part.boundary, rows[i].boundary);
	}
}

static void
t_X_mime_2_long_boundary(void **state)
{
	struct mime_part	 part;
	char			*s = malloc(20000);
	int			 n;

	(void)state;
	assert_non_null(s);
	n = snprintf(s, 20000, "Content-Type: multipart/mixed;\r\n boundary=\""
	    "%0900d\"\r\n", 7);
	mime_part_parse(SLICE(s, (size_t)n), &part);
	assert_int_equal(part.kind, MIME_OPAQUE);
	n = snprintf(s, 20000, "Content-Type: multipart/mixed; boundary=%070d"
	    "\r\n", 7);
	mime_part_parse(SLICE(s, (size_t)n), &part);
	assert_int_equal(part.kind, MIME_MULTIPART);
	n = snprintf(s, 20000, "Content-Type: multipart/mixed; boundary=%071d"
	    "\r\n", 7);
	mime_part_parse(SLICE(s, (size_t)n), &part);
	assert_int_equal(part.kind, MIME_OPAQUE);
	free(s);
}

static void
t_R6409_8_4_a_single(void **state)
{
	(void)state;
	converts("From: a@b\r\n", "plain\r\n\r\ntext\r\n",
	    "plain\r\n\r\ntext\r\n");
	assert_false(a.top_changed);
	assert_string_equal(a.fields, "");
	converts("From: a@b\r\n", "caf\xc3\xa9 \r\n\r\nend\r\n",
	    "caf=C3=A9=20\r\n\r\nend\r\n");
	assert_true(a.top_changed);
	assert_string_equal(a.fields, "MIME-Version: 1.0\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n");
	converts("MIME-Version: 1.0\r\nContent-Type: application/x\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n", "\xe9\r\n", "6Q0K\r\n");
	assert_string_equal(a.fields,
	    "Content-Transfer-Encoding: base64\r\n");
	/* R3030-3-c: labelled binary is encoded in any case. */
	converts("Content-Transfer-Encoding: binary\r\n", "a=b\r\n",
	    "a=3Db\r\n");
	/* What is encoded already stays, whatever it holds. */
	converts("Content-Transfer-Encoding: base64\r\n", "!\xe9\r\n",
	    "!\xe9\r\n");
	converts("", "no line end", "no line end\r\n");
	converts("", "\xe9", "=E9=\r\n");
	converts("", "", "");
}

#define MULTI	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; " \
	"boundary=b\r\n"

static void
t_R6409_8_4_a_multipart(void **state)
{
	(void)state;
	converts(MULTI, "preamble \xe9\r\n--b\r\n\r\nascii\r\n--b\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\nX: y\r\n\r\n\xc3\xa9 \r\n"
	    "--b  \r\nContent-Type: image/png\r\n\r\n\xff\xfe\r\n--b--\r\n"
	    "end\r\n",
	    "preamble \xe9\r\n--b\r\n\r\nascii\r\n--b\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\nX: y\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9=20\r\n"
	    "--b  \r\nContent-Type: image/png\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n//4=\r\n--b--\r\n"
	    "end\r\n");
	assert_string_equal(a.fields, "");
	/* Empty parts, parts without a blank line, no last delimiter. */
	converts(MULTI, "--b\r\n\r\n--b\r\nX: y\r\n--b\r\n\r\n\r\n--b\r\n"
	    "\r\n\xe9", "--b\r\n\r\n--b\r\nX: y\r\n--b\r\n\r\n\r\n--b\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E9=\r\n");
	converts(MULTI, "--b--", "--b--\r\n");
	converts(MULTI, "--b\r\n\r\n-\r\n--\r\n--bb\r\n--b-\r\n--b-- x\r\n",
	    "--b\r\n\r\n-\r\n--\r\n--bb\r\n--b-\r\n--b-- x\r\n");
	/* A missing MIME-Version is added to a multipart. */
	converts("Content-Type: multipart/mixed; boundary=b\r\n", "--b--\r\n",
	    "--b--\r\n");
	assert_string_equal(a.fields, "MIME-Version: 1.0\r\n");
}

static void
t_nested(void **state)
{
	(void)state;
	/* One boundary is the begin of the other. */
	converts(MULTI, "--b\r\nContent-Type: multipart/alternative; "
	    "boundary=bb\r\n\r\n--bb\r\n\r\n\xe9\r\n--bb--\r\nx\r\n--b\r\n"
	    "Content-Type: message/rfc822\r\n\r\nSubject: s\r\n\r\n\xe9\r\n"
	    "--b--\r\n",
	    "--b\r\nContent-Type: multipart/alternative; "
	    "boundary=bb\r\n\r\n--bb\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E9\r\n"
	    "--bb--\r\nx\r\n--b\r\n"
	    "Content-Type: message/rfc822\r\n\r\nSubject: s\r\n"
	    "MIME-Version: 1.0\r\nContent-Transfer-Encoding: "
	    "quoted-printable\r\n\r\n=E9\r\n--b--\r\n");
	/* The inner multipart is never closed. */
	converts(MULTI, "--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n"
	    "--c\r\n\r\nx\r\n--b\r\n\r\n\xe9\r\n--b--\r\n",
	    "--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n"
	    "--c\r\n\r\nx\r\n--b\r\nContent-Transfer-Encoding: "
	    "quoted-printable\r\n\r\n=E9\r\n--b--\r\n");
	/* The parts of a digest are messages. */
	converts("MIME-Version: 1.0\r\nContent-Type: multipart/digest; "
	    "boundary=b\r\n", "--b\r\n\r\nMIME-Version: 1.0\r\n\r\n\xe9\r\n"
	    "--b--\r\n", "--b\r\n\r\nMIME-Version: 1.0\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E9\r\n"
	    "--b--\r\n");
}

static void
t_R6409_8_b(void **state)
{
	static const char *const sections[] = {
		"Content-Type: multipart/signed; boundary=b\r\n",
		"Content-Type: multipart/encrypted; boundary=b\r\n",
		"Content-Type: application/pkcs7-mime\r\n",
		"Content-Type: application/x-pkcs7-mime\r\n",
	};
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		converts(sections[i], "--b\r\n\r\n\xe9\r\n--b--\r\n",
		    "--b\r\n\r\n\xe9\r\n--b--\r\n");
		memset(in, 'x', 999);
		memcpy(in + 999, "\r\n", 2);
		run(&a, sections[i], in, 1001, 100, false);
		assert_int_equal(a.verdict, -1);
	}
	converts(MULTI, "--b\r\nContent-Type: multipart/signed; boundary=c\r\n"
	    "\r\n--c\r\n\r\n\xe9\r\n--c--\r\n--b\r\n\r\n\xe9\r\n--b--\r\n",
	    "--b\r\nContent-Type: multipart/signed; boundary=c\r\n"
	    "\r\n--c\r\n\r\n\xe9\r\n--c--\r\n--b\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E9\r\n"
	    "--b--\r\n");
}

/* R5321-4.5.3.1.6-b: 998 pass, 999 are encoded, with nothing lost. */
static void
t_R5321_4_5_3_1_6_b(void **state)
{
	size_t	n, i, m;

	(void)state;
	for (n = 998; n <= 65536; n += n == 999 ? 65536 - 999 : 1) {
		memset(in, 'x', n);
		memcpy(in + n, "\r\n", 2);
		run(&a, "", in, n + 2, 1000, false);
		assert_int_equal(a.verdict, 0);
		assert_int_equal(a.changed, n > 998);
		for (i = m = 0; i < a.len; i++)
			m += a.out[i] == 'x';
		assert_int_equal(m, n);
	}
}

/* What happens behind the octets held back depends on the label. */
static void
t_hold(void **state)
{
	size_t	i, n = MIME_HOLD * 2;

	(void)state;
	for (i = 0; i < n; i += 64) {
		memset(in + i, 'x', 62);
		memcpy(in + i + 62, "\r\n", 2);
	}
	run(&a, "", in, n, 4096, false);
	assert_true(a.verdict == 0 && !a.changed && a.len == n);
	assert_memory_equal(a.out, in, n);
	run(&a, "Content-Transfer-Encoding: 8bit\r\n", in, n, 4096, false);
	assert_true(a.verdict == 0 && a.changed);
	in[n - 70] = '\xe9';
	run(&a, "", in, n, 4096, false);
	assert_true(a.verdict == 0 && !a.changed);
	memset(in + n, 'x', 1000);
	memcpy(in + n + 1000, "\r\n", 2);
	run(&a, "", in, n + 1002, 4096, false);
	assert_int_equal(a.verdict, -1);
	run(&b, "", in, n + 1002, 7, false);
	assert_int_equal(b.verdict, -1);
	assert_string_equal(a.reason, b.reason);
}

/* X-mime-1: depth and number; dirty: the content has to be encoded. */
static void
limits(unsigned int depth, unsigned int parts, const char *end, int verdict)
{
	unsigned int	i;
	size_t		n = 0;

	for (i = 0; i < depth; i++)
		n += (size_t)snprintf(in + n, sizeof(in) - n, "--%s%u\r\n"
		    "Content-Type: multipart/mixed; boundary=n%u\r\n\r\n",
		    i == 0 ? "b" : "n", i == 0 ? 0 : i - 1, i);
	for (i = 0; i < parts; i++)
		n += (size_t)snprintf(in + n, sizeof(in) - n,
		    "--b0\r\n\r\nx\r\n");
	n += (size_t)snprintf(in + n, sizeof(in) - n, "%s\r\n", end);
	run(&a, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
	    "boundary=b0\r\n", in, n, 999, false);
	assert_int_equal(a.verdict, verdict);
	if (verdict == 0 && strcmp(end, "clean") == 0) {
		assert_int_equal(a.len, n);
		assert_memory_equal(a.out, in, n);
	}
}

static void
t_X_mime_1(void **state)
{
	(void)state;
	limits(31, 0, "clean", 0);
	limits(40, 0, "clean", 0);
	limits(5000, 0, "clean", 0);
	limits(40, 0, "dirty \xe9", -1);
	limits(30, 0, "n29\r\n\r\n\xe9", 0);
	limits(0, 1000, "\xe9", 0);
	limits(0, 1001, "clean", 0);
	limits(0, 1001, "\xe9", -1);
	limits(0, 1001, "--b0--\r\n\xe9", 0);
}

/* R3030-3-a: any octets come back from what is encoded. */
static void
t_binary(void **state)
{
	static const char	body[] = "a\0b\rc\nd\r\n\xff\r";
	static const char	section[] =
	    "Content-Type: application/octet-stream\r\n"
	    "Content-Transfer-Encoding: binary\r\n";
	uint8_t			back[64];
	size_t			piece;

	(void)state;
	for (piece = 1; piece < sizeof(body); piece++) {
		run(&a, section, body, sizeof(body) - 1, piece, true);
		assert_int_equal(a.verdict, 0);
		assert_true(a.len > 2);
		assert_int_equal(base64_decode(SLICE(a.out, a.len - 2), back,
		    sizeof(back)), (int)sizeof(body) - 1);
		assert_memory_equal(back, body, sizeof(body) - 1);
		run(&a, "", body, sizeof(body) - 1, piece, true);
		assert_string_equal(a.out, "a=00b=0Dc=0Ad\r\n=FF=0D=\r\n");
		run(&a, "Content-Type: multipart/signed; boundary=x\r\n", body,
		    sizeof(body) - 1, piece, true);
		assert_int_equal(a.verdict, -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_qp),
		cmocka_unit_test(t_qp_width),
		cmocka_unit_test(t_b64),
		cmocka_unit_test(t_fields),
		cmocka_unit_test(t_X_mime_2_long_boundary),
		cmocka_unit_test(t_R6409_8_4_a_single),
		cmocka_unit_test(t_R6409_8_4_a_multipart),
		cmocka_unit_test(t_nested),
		cmocka_unit_test(t_R6409_8_b),
		cmocka_unit_test(t_R5321_4_5_3_1_6_b),
		cmocka_unit_test(t_hold),
		cmocka_unit_test(t_X_mime_1),
		cmocka_unit_test(t_binary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
