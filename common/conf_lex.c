/*
 * The words of the configuration: quoting, comments, macros, includes.
 *
 * Runs in msad on the administrator's files and in each child on msad's
 * canonical text; conf.y calls it. Nothing of the text is trusted: octets,
 * lengths, nesting and the whole expanded size are bounded, so that no text
 * can make it loop or grow. Memory comes from an arena that goes with the
 * parse, because a yacc parser drops tokens on errors.
 *
 * A bare $name stands for the macro's value read as text again, so that a
 * macro can hold a list; within a string or a longer word it stands for the
 * octets of the value. A value is never expanded a second time.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf_lex.h"
#include "common/log.h"

struct chunk {
	struct chunk	*next;
	max_align_t	 data[];
};

/* Text being read: a file, the octets of the caller, or a macro's value. */
struct frame {
	struct frame	*below;
	const char	*name;
	const char	*text;
	size_t		 len;
	size_t		 pos;
	int		 line;
	bool		 macro;
	bool		 includes;	/* include is allowed here */
};

struct macro {
	struct macro	*next;
	const char	*name;
	const char	*value;
	bool		 preset;
};

struct conf_lex {
	FILE		*errors;
	unsigned int	 nerrors;
	struct chunk	*chunks;
	struct frame	*top;
	struct frame	*include;	/* to be read when this line ends */
	struct macro	*macros;
	const char	*item_file;
	int		 item_line;
	int		 said_line;	/* by the last "#:12"; 0: none */
	unsigned int	 braces;
	bool		 line_open;	/* the statement has an item */
	bool		 dead;		/* a limit was passed: only EOF now */
	size_t		 budget;	/* octets that may still be read */
	char		 word[CONF_STRING_MAX + 1];
	size_t		 wordlen;
	bool		 overlong;	/* word was cut */
};

struct conf_lex *
conf_lex_new(FILE *errors)
{
	struct conf_lex	*lex;

	if ((lex = calloc(1, sizeof(*lex))) == NULL)
		err(1, "calloc");
	lex->errors = errors;
	lex->budget = CONF_TEXT_MAX;
	lex->item_file = "-";
	lex->item_line = 1;
	return lex;
}

void
conf_lex_free(struct conf_lex *lex)
{
	struct chunk	*c;

	while ((c = lex->chunks) != NULL) {
		lex->chunks = c->next;
		free(c);
	}
	freezero(lex, sizeof(*lex));
}

void *
conf_lex_alloc(struct conf_lex *lex, size_t size)
{
	struct chunk	*c;

	if ((c = calloc(1, sizeof(*c) + size)) == NULL)
		err(1, "calloc");
	c->next = lex->chunks;
	lex->chunks = c;
	return c->data;
}

static char *
keep(struct conf_lex *lex, const char *p, size_t len)
{
	char	*s = conf_lex_alloc(lex, len + 1);

	memcpy(s, p, len);
	return s;
}

static void error_va(struct conf_lex *, const char *, int, const char *,
    va_list) __attribute__((__format__(printf, 4, 0)));

static void
error_va(struct conf_lex *lex, const char *file, int line, const char *fmt,
    va_list ap)
{
	if (lex->dead)
		return;
	lex->nerrors++;
	if (lex->errors != NULL) {
		fprintf(lex->errors, "%s:%d: ", file, line);
		vfprintf(lex->errors, fmt, ap);
		fputc('\n', lex->errors);
	}
	if (lex->nerrors == CONF_ERRORS_MAX) {
		if (lex->errors != NULL)
			fprintf(lex->errors, "%s:%d: too many errors\n", file,
			    line);
		lex->dead = true;
	}
}

void
conf_lex_error_at(struct conf_lex *lex, const char *file, int line,
    const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	error_va(lex, file, line, fmt, ap);
	va_end(ap);
}

void
conf_lex_error(struct conf_lex *lex, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	error_va(lex, lex->item_file, lex->item_line, fmt, ap);
	va_end(ap);
}

unsigned int
conf_lex_errors(const struct conf_lex *lex)
{
	return lex->nerrors;
}

const char *
conf_lex_file(const struct conf_lex *lex)
{
	return lex->item_file;
}

int
conf_lex_line(const struct conf_lex *lex)
{
	return lex->item_line;
}

int
conf_lex_said_line(struct conf_lex *lex)
{
	int	 line = lex->said_line != 0 ? lex->said_line : lex->item_line;

	lex->said_line = 0;
	return line;
}

/* Macros. */

static struct macro *
macro_find(struct conf_lex *lex, const char *name, size_t len)
{
	struct macro	*m;

	for (m = lex->macros; m != NULL; m = m->next) {
		if (strlen(m->name) == len && memcmp(m->name, name, len) == 0)
			return m;
	}
	return NULL;
}

static void
macro_add(struct conf_lex *lex, const char *name, const char *value,
    bool preset)
{
	struct macro	*m = conf_lex_alloc(lex, sizeof(*m));

	m->name = keep(lex, name, strlen(name));
	m->value = keep(lex, value, strlen(value));
	m->preset = preset;
	m->next = lex->macros;
	lex->macros = m;
}

static bool
macro_octet(int c)
{
	return c < 0x80 && (isalnum(c) || c == '_');
}

void
conf_lex_preset(struct conf_lex *lex, const char *name, const char *value)
{
	const char	*p;

	for (p = name; macro_octet((unsigned char)*p); p++)
		;
	if (p == name || *p != '\0')
		conf_lex_error_at(lex, "-D", 0, "%s is no name for a macro",
		    log_q(name));
	else if (strlen(value) > CONF_STRING_MAX)
		conf_lex_error_at(lex, "-D", 0, "value of %s is too long",
		    name);
	else
		macro_add(lex, name, value, true);
}

void
conf_lex_define(struct conf_lex *lex, const char *name, const char *value)
{
	struct macro	*m;

	if ((m = macro_find(lex, name, strlen(name))) == NULL)
		macro_add(lex, name, value, false);
	else if (!m->preset)
		conf_lex_error(lex, "macro %s is defined twice", name);
}

/* Frames. */

static struct frame *
frame_new(struct conf_lex *lex, const char *name, const char *text,
    size_t len)
{
	struct frame	*f = conf_lex_alloc(lex, sizeof(*f));

	f->name = name;
	f->text = text;
	f->len = len;
	f->line = 1;
	return f;
}

static void
frame_push(struct conf_lex *lex, struct frame *f)
{
	f->below = lex->top;
	lex->top = f;
}

void
conf_lex_push_text(struct conf_lex *lex, const char *text, size_t len,
    const char *name)
{
	name = keep(lex, name, strlen(name));
	lex->item_file = name;
	frame_push(lex, frame_new(lex, name, text, len));
}

/*
 * Open a file that may say what msad does: a regular one that belongs to root
 * or to who runs us and that nobody else can write. -1 and *why otherwise.
 */
static int
file_open(const char *path, const char **why)
{
	struct stat	 st;
	int		 fd;

	fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		*why = strerror(errno);
	else if (S_ISDIR(st.st_mode))
		*why = strerror(EISDIR);
	else if (!S_ISREG(st.st_mode))
		*why = "not a regular file";
	else if (st.st_uid != 0 && st.st_uid != getuid())
		*why = "must belong to root";
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		*why = "must not be writable by group or others";
	else
		return fd;
	if (fd != -1)
		close(fd);
	return -1;
}

/* Read the file whole into the arena; NULL and *why when that fails. */
static char *
file_read(struct conf_lex *lex, const char *path, size_t *len,
    const char **why)
{
	char		*buf, *text = NULL;
	ssize_t		 n;
	size_t		 size = 65536, have = 0;
	int		 fd;

	if ((fd = file_open(path, why)) == -1)
		return NULL;
	if ((buf = malloc(size)) == NULL)
		err(1, "malloc");
	while ((n = read(fd, buf + have, size - have)) > 0) {
		if ((have += (size_t)n) < size)
			continue;
		if (size > CONF_TEXT_MAX) {
			errno = EFBIG;
			n = -1;
			break;
		}
		if ((buf = recallocarray(buf, size, size * 2, 1)) == NULL)
			err(1, "recallocarray");
		size *= 2;
	}
	if (n == 0)
		text = keep(lex, buf, have);
	else
		*why = strerror(errno);
	close(fd);
	freezero(buf, size);
	*len = have;
	return text;
}

static unsigned int
file_depth(const struct conf_lex *lex)
{
	const struct frame	*f;
	unsigned int		 n = 0;

	for (f = lex->top; f != NULL; f = f->below)
		n += !f->macro;
	return n;
}

/* path, or path beside the file that is being read. */
static const char *
file_beside(struct conf_lex *lex, const char *path)
{
	const char	*slash;
	char		*s;
	size_t		 dir;

	if (path[0] == '/' || lex->top == NULL ||
	    (slash = strrchr(lex->top->name, '/')) == NULL)
		return keep(lex, path, strlen(path));
	dir = (size_t)(slash - lex->top->name) + 1;
	s = conf_lex_alloc(lex, dir + strlen(path) + 1);
	memcpy(s, lex->top->name, dir);
	memcpy(s + dir, path, strlen(path));
	return s;
}

void
conf_lex_push_file(struct conf_lex *lex, const char *path)
{
	struct frame	*f;
	const char	*text, *why;
	size_t		 len;

	if (lex->top != NULL && !lex->top->includes) {
		conf_lex_error(lex, "include is not allowed here");
		return;
	}
	if (file_depth(lex) >= CONF_DEPTH_MAX) {
		conf_lex_error(lex, "more than %d files include one another",
		    CONF_DEPTH_MAX);
		return;
	}
	path = file_beside(lex, path);
	if ((text = file_read(lex, path, &len, &why)) == NULL) {
		if (lex->top == NULL)
			conf_lex_error_at(lex, path, 0, "%s", why);
		else
			conf_lex_error(lex, "include %s: %s", log_q(path),
			    why);
		return;
	}
	f = frame_new(lex, path, text, len);
	f->includes = true;
	if (lex->line_open) {
		lex->include = f;
		return;
	}
	if (lex->top == NULL)
		lex->item_file = path;
	frame_push(lex, f);
}

/* Octets. */

static int
peek_at(const struct conf_lex *lex, size_t off)
{
	const struct frame	*f = lex->top;

	if (lex->dead || f == NULL || off >= f->len - f->pos)
		return EOF;
	return (unsigned char)f->text[f->pos + off];
}

static int
peek(const struct conf_lex *lex)
{
	return peek_at(lex, 0);
}

static void
skip(struct conf_lex *lex)
{
	struct frame	*f = lex->top;

	if (lex->budget == 0) {
		conf_lex_error(lex, "configuration is longer than %u octets",
		    CONF_TEXT_MAX);
		lex->dead = true;
		return;
	}
	lex->budget--;
	if (f->text[f->pos++] == '\n')
		f->line++;
}

static bool
word_octet(int c)
{
	return c != EOF && c < 0x80 &&
	    (isalnum(c) || strchr("_./:@+-*%~$", c) != NULL) && c != '\0';
}

static void
word_add(struct conf_lex *lex, const char *p, size_t len)
{
	if (len > CONF_STRING_MAX - lex->wordlen) {
		lex->overlong = true;
		return;
	}
	memcpy(lex->word + lex->wordlen, p, len);
	lex->wordlen += len;
}

static void
word_octet_add(struct conf_lex *lex, int c)
{
	char	 octet = (char)c;

	word_add(lex, &octet, 1);
}

/*
 * At a '$': take the name behind it. Returns the macro, or NULL after
 * reporting why there is none.
 */
static struct macro *
macro_take(struct conf_lex *lex)
{
	struct frame	*f = lex->top;
	struct macro	*m;
	const char	*name;
	size_t		 n = 0;

	skip(lex);
	if (lex->dead)
		return NULL;
	name = f->text + f->pos;
	while (macro_octet(peek(lex))) {
		skip(lex);
		n++;
	}
	if (f->macro)
		conf_lex_error(lex, "macro within the value of a macro");
	else if (n == 0)
		conf_lex_error(lex, "no macro name after $");
	else if ((m = macro_find(lex, name, n)) == NULL)
		conf_lex_error(lex, "macro %s is not defined", log_qn(name, n));
	else
		return m;
	return NULL;
}

/* Report a word that was cut, and take its text. */
static const char *
word_take(struct conf_lex *lex)
{
	if (lex->overlong)
		conf_lex_error(lex, "string is longer than %d octets",
		    CONF_STRING_MAX);
	return keep(lex, lex->word, lex->wordlen);
}

static void
word_start(struct conf_lex *lex)
{
	lex->wordlen = 0;
	lex->overlong = false;
}

/* The rest of a string, behind its opening quote. */
static const char *
string_take(struct conf_lex *lex)
{
	struct macro	*m;
	int		 c;

	word_start(lex);
	while ((c = peek(lex)) != '"') {
		if (c == EOF || c == '\n') {
			conf_lex_error(lex, "string has no end on its line");
			return word_take(lex);
		}
		if (c == '$') {
			if ((m = macro_take(lex)) != NULL)
				word_add(lex, m->value, strlen(m->value));
			continue;
		}
		skip(lex);
		if (c == '\\') {
			c = peek(lex);
			if (c != '"' && c != '\\' && c != '$') {
				conf_lex_error(lex, "a backslash stands only "
				    "before \", \\ and $");
				continue;
			}
			skip(lex);
		} else if (c == '\0') {
			conf_lex_error(lex, "NUL octet in a string");
			continue;
		}
		word_octet_add(lex, c);
	}
	skip(lex);
	return word_take(lex);
}

/* Is the word just taken followed by a '='? Then take that too. */
static bool
assignment(struct conf_lex *lex)
{
	size_t	 off = 0, i;
	int	 c;

	while ((c = peek_at(lex, off)) == ' ' || c == '\t')
		off++;
	if (c != '=')
		return false;
	for (i = 0; i <= off; i++)
		skip(lex);
	return true;
}

/* Is the word so far what says where a table is? */
static bool
scheme(const struct conf_lex *lex, enum conf_item *item)
{
	static const struct {
		const char	*word;
		enum conf_item	 item;
	} schemes[] = {
		{ "file:", CONF_ITEM_FILE }, { "sqlite:", CONF_ITEM_SQLITE },
		{ "ldap:", CONF_ITEM_LDAP }
	};
	size_t	i;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (lex->wordlen == strlen(schemes[i].word) &&
		    memcmp(lex->word, schemes[i].word, lex->wordlen) == 0) {
			*item = schemes[i].item;
			return true;
		}
	return false;
}

/*
 * A bare word. A word that is one macro and nothing else pushes the macro's
 * value as text and returns false: no item yet.
 */
static bool
word_lex(struct conf_lex *lex, enum conf_item *item, const char **text)
{
	struct macro	*m = NULL;
	struct frame	*f;
	bool		 first = lex->braces == 0 && !lex->line_open;
	bool		 whole = true, expanded = false;
	size_t		 parts = 0;
	int		 c;

	word_start(lex);
	while (word_octet(c = peek(lex))) {
		if (c == '$') {
			expanded = true;
			whole = parts++ == 0;
			if ((m = macro_take(lex)) != NULL)
				word_add(lex, m->value, strlen(m->value));
			continue;
		}
		parts++;
		whole = false;
		skip(lex);
		word_octet_add(lex, c);
		if (c == ':' && scheme(lex, item))
			return true;
	}
	if (whole && expanded) {
		if (m == NULL)
			return false;
		f = frame_new(lex, lex->top->name, m->value, strlen(m->value));
		f->macro = true;
		f->line = lex->item_line;
		frame_push(lex, f);
		return false;
	}
	*text = word_take(lex);
	*item = CONF_ITEM_WORD;
	if (first && !expanded && assignment(lex)) {
		*item = CONF_ITEM_MACRO;
		for (; macro_octet((unsigned char)**text); (*text)++)
			;
		if (**text != '\0')
			conf_lex_error(lex, "a macro's name has letters, digits"
			    " and _ only");
		*text = keep(lex, lex->word, lex->wordlen);
	}
	return true;
}

/*
 * Skip a comment. "#:12", as the canonical text has it before a rule, says the
 * line where that stood in the file.
 */
static void
comment(struct conf_lex *lex)
{
	bool	 place = peek_at(lex, 1) == ':';
	int	 c, line = 0;

	skip(lex);
	if (place)
		skip(lex);
	while ((c = peek(lex)) != EOF && c != '\n') {
		if (c < '0' || c > '9' || line > 10000000)
			place = false;
		else
			line = line * 10 + c - '0';
		skip(lex);
	}
	if (place)
		lex->said_line = line;
}

/* Skip blanks, comments, continued lines, and newlines within braces. */
static void
blank_skip(struct conf_lex *lex)
{
	int	 c;

	for (;;) {
		c = peek(lex);
		if (c == '#') {
			comment(lex);
		} else if (c == '\\' && peek_at(lex, 1) == '\n') {
			skip(lex);
			skip(lex);
		} else if (c == ' ' || c == '\t' || c == '\r' ||
		    (c == '\n' && lex->braces > 0))
			skip(lex);
		else
			return;
	}
}

/* A statement ends: read what it included, if it did. */
static enum conf_item
line_end(struct conf_lex *lex)
{
	lex->line_open = false;
	if (lex->include != NULL)
		frame_push(lex, lex->include);
	lex->include = NULL;
	return CONF_ITEM_NEWLINE;
}

/*
 * The end of a frame: an ended file ends its statement too, and an included
 * one its braces.
 */
static bool
frame_end(struct conf_lex *lex, enum conf_item *item)
{
	bool	 macro;

	if (lex->dead || lex->top == NULL) {
		*item = CONF_ITEM_EOF;
		return true;
	}
	macro = lex->top->macro;
	if (!macro && lex->line_open &&
	    (lex->braces == 0 || lex->top->below != NULL)) {
		lex->braces = 0;
		*item = line_end(lex);
		return true;
	}
	lex->top = lex->top->below;
	return false;
}

static enum conf_item
punct_lex(struct conf_lex *lex, int c, const char **text)
{
	static const char	 octets[] = "{},<>=";

	if (c == '{')
		lex->braces++;
	else if (c == '}' && lex->braces > 0)
		lex->braces--;
	*text = strchr(octets, c);
	return CONF_ITEM_PUNCT;
}

enum conf_item
conf_lex_next(struct conf_lex *lex, const char **text)
{
	enum conf_item	 item;
	int		 c;

	*text = NULL;
	for (;;) {
		blank_skip(lex);
		if ((c = peek(lex)) == EOF) {
			if (frame_end(lex, &item))
				return item;
			continue;
		}
		lex->item_file = lex->top->name;
		lex->item_line = lex->top->line;
		if (word_octet(c)) {
			if (!word_lex(lex, &item, text))
				continue;
			break;
		}
		skip(lex);
		if (c == '\n') {
			if (!lex->line_open)
				continue;
			return line_end(lex);
		}
		if (c == '"') {
			*text = string_take(lex);
			item = CONF_ITEM_STRING;
			break;
		}
		if (c != '\0' && strchr("{},<>=", c) != NULL) {
			item = punct_lex(lex, c, text);
			break;
		}
		conf_lex_error(lex, "octet %s stands outside a string",
		    log_qn(&(char){ (char)c }, 1));
	}
	lex->line_open = true;
	return item;
}
