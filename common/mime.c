/*
 * The structure of a MIME body, walked as it streams, and the conversion of
 * its parts (mime.h has the rule). Used by the front-end on what a client
 * sends: nothing of it is trusted. Memory is bounded by MIME_HOLD of a part and
 * its header, one line that may be a delimiter, and what the caller has not
 * taken (a caller that takes all each time leaves nothing); nesting is a table
 * of boundaries, without recursion.
 *
 * Only CRLF ends a line. The CRLF before a delimiter belongs to the delimiter
 * (RFC 2046 section 5.1.1), so each one is kept back until the next line is
 * known not to be one. A delimiter is a line of "--", the boundary, maybe
 * "--", and blanks; the innermost boundary is tried first.
 */

#include <stdlib.h>

#include "common/conf_limits.h"
#include "common/mime.h"
#include "common/mime_encode.h"
#include "common/mime_field.h"

#define LINE_MAX_OUT	998
#define PEEK_MAX	256	/* a longer line is no delimiter */
#define SPARE_MAX	65536	/* of a buffer that is kept for the next */

static unsigned int	parts_max = MIME_PARTS, depth_max = MIME_DEPTH;

enum mode { MODE_HEADER = 0, MODE_HOLD, MODE_PASS, MODE_QP, MODE_B64 };
enum top { TOP_OPEN = 0, TOP_KEPT, TOP_CHANGED };

struct buffer {
	char	*p;
	size_t	 off;		/* what is before it is used */
	size_t	 len;
	size_t	 cap;
	bool	 large;		/* from large_alloc */
};

struct level {
	char	 boundary[MIME_BOUNDARY_MAX + 1];
	size_t	 len;
	bool	 digest;
};

struct mime {
	struct level	 levels[MIME_DEPTH];
	unsigned int	 depth;
	unsigned int	 nparts;
	enum mode	 mode;
	struct mime_part part;		/* the one under way */
	bool		 message;	/* MODE_HEADER is that of a message */
	bool		 limited;	/* past MIME_DEPTH or MIME_PARTS */
	bool		 binary;	/* such octets are allowed in */
	bool		 is_top;	/* the part is the message itself */
	bool		 changed;
	bool		 ended;
	enum top	 top;
	char		 top_fields[96];

	size_t		 line;		/* octets of the open line */
	bool		 cr;		/* a CR is held back */
	bool		 eol;		/* a CRLF is held back */
	bool		 peeking;
	char		 peek[PEEK_MAX];
	size_t		 npeek;

	struct qp	 qp;
	struct b64	 b64;
	struct buffer	 header;	/* of the part under way */
	struct buffer	 hold;		/* its content so far */
	struct buffer	 out;
	bool		 header_8bit;	/* of any part */
	bool		 failed;
	const char	*reason;
};

void
mime_limits_set(const struct conf_limits *l)
{
	parts_max = (unsigned int)l->mime_parts;
	depth_max = (unsigned int)l->mime_depth;
}

static void
fail(struct mime *m, const char *reason)
{
	if (m->failed)
		return;
	m->failed = true;
	m->reason = reason;
}

/*
 * The buffer of what comes out is empty between two calls as a rule: one for
 * all.
 */
static struct buffer	spare;

static void	*(*large_alloc)(size_t) = malloc;
static void	(*large_free)(void *) = free;

/* --- buffers --- */

void
mime_memory(void *(*alloc)(size_t), void (*release)(void *))
{
	large_alloc = alloc;
	large_free = release;
}

static void
buffer_free(struct buffer *b)
{
	if (b->large)
		large_free(b->p);
	else
		free(b->p);
	memset(b, 0, sizeof(*b));
}

/* Memory of that size, with what b holds at its beginning. */
static int
grow(struct buffer *b, size_t cap, bool large)
{
	struct buffer	old = *b;
	char		*p;

	p = large ? large_alloc(cap) : realloc(b->p, cap);
	if (p == NULL)
		return -1;
	if (large && b->len > 0)
		memcpy(p, b->p, b->len);
	if (large)
		buffer_free(&old);
	b->p = p;
	b->cap = cap;
	b->large = large;
	return 0;
}

static char *
reserve(struct mime *m, struct buffer *b, size_t n)
{
	size_t	 cap = b->cap == 0 ? 4096 : b->cap;
	bool	 stays = b != &m->out;	/* between two calls */

	if (b == &m->out && b->cap == 0 && spare.cap != 0) {
		*b = spare;
		memset(&spare, 0, sizeof(spare));
		cap = b->cap;
	}
	if (b->off > 0) {
		memmove(b->p, b->p + b->off, b->len);
		b->off = 0;
	}
	if (stays && cap - b->len < n)
		cap = MIME_HOLD;
	while (cap - b->len < n)
		cap *= 2;
	if (cap != b->cap && grow(b, cap, stays && cap == MIME_HOLD) == -1) {
		fail(m, NULL);
		return NULL;
	}
	return b->p + b->len;
}

static void
append(struct mime *m, struct buffer *b, const char *p, size_t n)
{
	char	*to;

	if (n == 0 || m->failed || (to = reserve(m, b, n)) == NULL)
		return;
	memcpy(to, p, n);
	b->len += n;
}

/* The out buffer is empty: keep it for the next who needs one. */
static void
out_give(struct mime *m)
{
	m->out.off = 0;
	if (spare.cap != 0 || m->out.cap > SPARE_MAX) {
		buffer_free(&m->out);
		return;
	}
	spare = m->out;
	memset(&m->out, 0, sizeof(m->out));
}

static void
out_text(struct mime *m, const char *s)
{
	append(m, &m->out, s, strlen(s));
}

static void
encode(struct mime *m, const char *p, size_t n)
{
	char	*to;

	if (m->failed || (to = reserve(m, &m->out, MIME_ENCODED(n))) == NULL)
		return;
	m->out.len += m->mode == MODE_QP ?
	    qp_encode(&m->qp, SLICE(p, n), to) :
	    b64_encode(&m->b64, SLICE(p, n), to);
}

static bool
has_8bit(const char *p, size_t n)
{
	unsigned char	all = 0;
	size_t		i;

	for (i = 0; i < n; i++)
		all |= (unsigned char)p[i];
	return all > 127;
}

/* --- parts --- */

/* The header of the part as it came, and the blank line. */
static void
header_out(struct mime *m)
{
	if (m->is_top) {
		m->top = TOP_KEPT;
		return;
	}
	append(m, &m->out, m->header.p, m->header.len);
	out_text(m, "\r\n");
	buffer_free(&m->header);
}

/* The fields that go with another encoding. */
static void
fields_out(struct mime *m, const char *cte)
{
	static const char	version[] = "MIME-Version: 1.0\r\n";
	bool			add = m->message && !m->part.version;

	if (m->is_top) {
		m->top = TOP_CHANGED;
		strlcpy(m->top_fields, add ? version : "",
		    sizeof(m->top_fields));
		strlcat(m->top_fields, cte, sizeof(m->top_fields));
		return;
	}
	m->header.len = mime_strip_cte(m->header.p, m->header.len);
	append(m, &m->out, m->header.p, m->header.len);
	if (add)
		out_text(m, version);
	out_text(m, cte);
	out_text(m, "\r\n");
	buffer_free(&m->header);
}

/* The part is to be encoded: its header, and what was held of it. */
static void
begin_encoding(struct mime *m)
{
	m->changed = true;
	if (m->part.kind == MIME_TEXT) {
		m->mode = MODE_QP;
		memset(&m->qp, 0, sizeof(m->qp));
		fields_out(m, "Content-Transfer-Encoding: "
		    "quoted-printable\r\n");
	} else {
		m->mode = MODE_B64;
		memset(&m->b64, 0, sizeof(m->b64));
		fields_out(m, "Content-Transfer-Encoding: base64\r\n");
	}
	encode(m, m->hold.p, m->hold.len);
	buffer_free(&m->hold);
}

/* The part is to pass: its header, and what was held of it. */
static void
begin_passing(struct mime *m)
{
	m->mode = MODE_PASS;
	header_out(m);
	append(m, &m->out, m->hold.p, m->hold.len);
	buffer_free(&m->hold);
}

static void
begin_multipart(struct mime *m)
{
	struct level	*l = &m->levels[m->depth++];

	strlcpy(l->boundary, m->part.boundary, sizeof(l->boundary));
	l->len = strlen(l->boundary);
	l->digest = m->part.kind == MIME_DIGEST;
	if (m->part.cte != MIME_BINARY) {
		begin_passing(m);
	} else {
		m->mode = MODE_PASS;
		fields_out(m, "Content-Transfer-Encoding: 8bit\r\n");
	}
	if (m->is_top && m->top == TOP_KEPT && !m->part.version)
		strlcpy(m->top_fields, "MIME-Version: 1.0\r\n",
		    sizeof(m->top_fields));
	m->is_top = false;
}

/* A message within the message: its header comes next. */
static void
begin_message(struct mime *m)
{
	if (m->part.cte == MIME_BINARY)
		fields_out(m, "Content-Transfer-Encoding: 8bit\r\n");
	else
		header_out(m);
	m->mode = MODE_HEADER;
	m->message = true;
	m->is_top = false;
	if (++m->nparts > parts_max) {
		m->mode = MODE_PASS;
		m->limited = true;
	}
}

/* m->part says what comes: choose how its content passes. */
static void
begin_part(struct mime *m)
{
	enum mime_kind	kind = m->part.kind;
	enum mime_cte	cte = m->part.cte;
	bool		composite = kind == MIME_MULTIPART ||
	    kind == MIME_DIGEST || kind == MIME_MESSAGE;

	if (kind == MIME_TEXT && !m->part.typed && m->depth > 0 &&
	    !m->message && m->levels[m->depth - 1].digest)
		kind = MIME_MESSAGE;
	if ((kind == MIME_MULTIPART || kind == MIME_DIGEST) &&
	    m->depth >= depth_max)
		m->limited = true;
	if (m->limited || kind == MIME_SEALED || kind == MIME_OPAQUE ||
	    cte == MIME_UNKNOWN || cte == MIME_ENCODED_CTE)
		begin_passing(m);
	else if (composite && kind != MIME_MESSAGE)
		begin_multipart(m);
	else if (kind == MIME_MESSAGE)
		begin_message(m);
	else if (cte == MIME_BINARY)
		begin_encoding(m);
	else
		m->mode = MODE_HOLD;
}

/* The header section of a part is complete. */
static void
header_end(struct mime *m)
{
	mime_part_parse(SLICE(m->header.p != NULL ? m->header.p : "",
	    m->header.len), &m->part);
	begin_part(m);
}

/* The part is at its end; last: so is the message. */
static void
part_end(struct mime *m, bool last)
{
	char	*to;

	switch (m->mode) {
	case MODE_HEADER:
		append(m, &m->out, m->header.p, m->header.len);
		buffer_free(&m->header);
		m->mode = MODE_PASS;
		break;
	case MODE_HOLD:
		begin_passing(m);
		break;
	case MODE_QP:
	case MODE_B64:
		if ((to = reserve(m, &m->out, MIME_ENCODED(0))) == NULL)
			return;
		m->out.len += m->mode == MODE_QP ?
		    qp_end(&m->qp, last, to) : b64_end(&m->b64, last, to);
		break;
	default:
		break;
	}
	if (last && m->line > 0 && m->mode == MODE_PASS)
		out_text(m, "\r\n");
}

/* --- content --- */

static const char	reason_long[] = "a line longer than 998 octets in a "
    "part that cannot be encoded anew, because it is signed, encrypted, "
    "encoded, or not labelled 8bit and long";
static const char	reason_limit[] = "parts nested deeper than 32, or more "
    "than 1000 of them, with content that is not 7-bit text";
static const char	reason_binary[] = "a bare line end or a NUL octet in a "
    "part that cannot be encoded";

/* Octets that no text may have; CRLF is no part of them. */
static bool
is_binary(const struct mime *m, const char *p, size_t n)
{
	return m->binary && (memchr(p, '\0', n) != NULL ||
	    memchr(p, '\r', n) != NULL || memchr(p, '\n', n) != NULL);
}

static void
pass(struct mime *m, const char *p, size_t n, bool text)
{
	if (text && m->line > LINE_MAX_OUT)
		fail(m, m->limited ? reason_limit : reason_long);
	else if (text && is_binary(m, p, n))
		fail(m, m->limited ? reason_limit : reason_binary);
	else if (m->limited && has_8bit(p, n))
		fail(m, reason_limit);
	else
		append(m, &m->out, p, n);
}

static void
hold(struct mime *m, const char *p, size_t n, bool text)
{
	if (text && (m->line > LINE_MAX_OUT || is_binary(m, p, n) ||
	    has_8bit(p, n))) {
		begin_encoding(m);
		encode(m, p, n);
	} else if (m->header.len + m->hold.len + n <= MIME_HOLD) {
		append(m, &m->hold, p, n);
	} else if (m->part.cte == MIME_8BIT) {
		begin_encoding(m);
		encode(m, p, n);
	} else {
		begin_passing(m);
		pass(m, p, n, text);
	}
}

/* Octets of a header section: more than it may have make it opaque. */
static void
header_take(struct mime *m, const char *p, size_t n, bool text)
{
	if (has_8bit(p, n))
		m->header_8bit = true;
	if (m->header.len + n <= MIME_HEADER_MAX &&
	    (!text || (m->line <= LINE_MAX_OUT && !is_binary(m, p, n)))) {
		append(m, &m->header, p, n);
		return;
	}
	append(m, &m->out, m->header.p, m->header.len);
	buffer_free(&m->header);
	m->mode = MODE_PASS;
	pass(m, p, n, text);
}

/* Content of the part: text of a line, or the CRLF between two. */
static void
content(struct mime *m, const char *p, size_t n, bool text)
{
	switch (m->mode) {
	case MODE_HEADER:
		header_take(m, p, n, text);
		break;
	case MODE_HOLD:
		hold(m, p, n, text);
		break;
	case MODE_PASS:
		pass(m, p, n, text);
		break;
	default:
		encode(m, p, n);
		break;
	}
}

static void
line_text(struct mime *m, const char *p, size_t n)
{
	if (n == 0)
		return;
	if (m->eol)
		content(m, "\r\n", 2, false);
	m->eol = false;
	m->line += n;
	content(m, p, n, true);
}

/* A line without its CRLF: which level does it delimit, or -1? */
static int
delimiter(const struct mime *m, const char *p, size_t n, bool *closing)
{
	const struct level	*l;
	size_t			 end;
	int			 i;

	while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	if (n < 3 || p[0] != '-' || p[1] != '-')
		return -1;
	for (i = (int)m->depth - 1; i >= 0; i--) {
		l = &m->levels[i];
		end = 2 + l->len;
		if (n < end || memcmp(p + 2, l->boundary, l->len) != 0)
			continue;
		*closing = n == end + 2 && memcmp(p + end, "--", 2) == 0;
		if (n == end || *closing)
			return i;
	}
	return -1;
}

/* A delimiter of that level, found in peek. */
static void
delimit(struct mime *m, int level, bool closing)
{
	bool	last = closing && level == 0;

	part_end(m, false);
	if (m->eol)
		out_text(m, "\r\n");
	m->eol = false;
	append(m, &m->out, m->peek, m->npeek);
	m->npeek = 0;
	m->depth = (unsigned int)level + (closing ? 0 : 1);
	m->message = false;
	m->mode = closing ? MODE_PASS : MODE_HEADER;
	m->line = 0;
	/* Behind the last delimiter, as behind the limit, nothing changes. */
	m->limited = !last && m->limited && m->nparts > parts_max;
	if (!closing && ++m->nparts > parts_max) {
		m->mode = MODE_PASS;
		m->limited = true;
	}
}

/* The line in peek is complete, but for its CRLF: true if a delimiter. */
static bool
peek_end(struct mime *m)
{
	bool	closing = false;
	int	level;

	m->peeking = false;
	if ((level = delimiter(m, m->peek, m->npeek, &closing)) == -1) {
		line_text(m, m->peek, m->npeek);
		return false;
	}
	delimit(m, level, closing);
	return true;
}

/* The open line has its CRLF. */
static void
line_end(struct mime *m)
{
	if (m->peeking && peek_end(m)) {
		if (m->mode == MODE_PASS)	/* its CRLF is the next one's */
			m->eol = true;
		else
			out_text(m, "\r\n");
		return;
	}
	if (m->mode == MODE_HEADER && m->line == 0) {
		header_end(m);
		return;
	}
	if (m->eol)
		content(m, "\r\n", 2, false);
	m->eol = m->mode != MODE_HEADER;
	if (!m->eol)
		content(m, "\r\n", 2, false);
	m->line = 0;
}

/* Text of a line that begins like a delimiter, or may. */
static size_t
peek_take(struct mime *m, const char *p, size_t n)
{
	size_t	used = PEEK_MAX - m->npeek < n ? PEEK_MAX - m->npeek : n;

	memcpy(m->peek + m->npeek, p, used);
	m->npeek += used;
	if ((m->npeek > 1 && m->peek[1] != '-') || m->npeek == PEEK_MAX) {
		m->peeking = false;
		line_text(m, m->peek, m->npeek);
	}
	return used;
}

static void
octets(struct mime *m, const char *p, size_t n)
{
	size_t	used;

	if (n == 0)
		return;
	if (m->line == 0 && !m->peeking && m->depth > 0 && p[0] == '-') {
		m->peeking = true;
		m->npeek = 0;
	}
	if (m->peeking) {
		used = peek_take(m, p, n);
		p += used;
		n -= used;
	}
	if (n > 0 && !m->peeking)
		line_text(m, p, n);
}

int
mime_take(struct mime *m, const char *p, size_t n)
{
	const char	*end = p + n, *lf, *stop;
	bool		 cr;

	while (p < end && !m->failed) {
		if (m->cr) {
			m->cr = false;
			if (*p != '\n') {
				octets(m, "\r", 1);
				continue;
			}
			p++;
			line_end(m);
			continue;
		}
		lf = memchr(p, '\n', (size_t)(end - p));
		stop = lf == NULL ? end : lf;
		cr = stop > p && stop[-1] == '\r';
		octets(m, p, (size_t)(stop - p) - cr);
		p = lf == NULL ? end : lf + 1;
		if (lf != NULL && cr)
			line_end(m);
		else if (lf != NULL)
			octets(m, "\n", 1);
		else
			m->cr = cr;
	}
	return m->failed ? -1 : 0;
}

int
mime_end(struct mime *m)
{
	if (m->ended || m->failed)
		return m->failed ? -1 : 0;
	m->ended = true;
	if (m->cr)
		octets(m, "\r", 1);
	m->cr = false;
	if (m->peeking && peek_end(m)) {
		out_text(m, "\r\n");
		return m->failed ? -1 : 0;
	}
	if (m->eol)
		content(m, "\r\n", 2, false);
	m->eol = false;
	part_end(m, true);
	return m->failed ? -1 : 0;
}

struct mime *
mime_new(struct slice section, enum mime_convert convert)
{
	struct mime	*m;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return NULL;
	m->binary = convert == MIME_BINARY_IN;
	m->is_top = m->message = true;
	mime_part_parse(section, &m->part);
	if (convert == MIME_OFF)
		m->part.kind = MIME_OPAQUE;
	begin_part(m);
	m->is_top = m->top == TOP_OPEN;
	return m;
}

void
mime_free(struct mime *m)
{
	if (m == NULL)
		return;
	buffer_free(&m->header);
	buffer_free(&m->hold);
	buffer_free(&m->out);
	free(m);
}

const char *
mime_reason(const struct mime *m)
{
	return m->reason;
}

bool
mime_top_known(const struct mime *m)
{
	return m->top != TOP_OPEN;
}

bool
mime_top_changed(const struct mime *m)
{
	return m->top == TOP_CHANGED;
}

const char *
mime_top_fields(const struct mime *m)
{
	return m->top_fields;
}

struct slice
mime_out(const struct mime *m)
{
	return SLICE(m->out.len > 0 ? m->out.p + m->out.off : "", m->out.len);
}

void
mime_use(struct mime *m, size_t n)
{
	m->out.off += n;
	m->out.len -= n;
	if (m->out.len > 0)
		return;
	out_give(m);
}

bool
mime_grows(const struct mime *m)
{
	return m->mode == MODE_HOLD || m->mode == MODE_QP ||
	    m->mode == MODE_B64;
}

bool
mime_header_8bit(const struct mime *m)
{
	return m->header_8bit;
}

bool
mime_changed(const struct mime *m)
{
	return m->changed;
}
