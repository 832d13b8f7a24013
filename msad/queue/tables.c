/*
 * The tables the queue holds: who may write as whom, and the passwords for
 * smart hosts. Runs in msad-queue when a configuration is prepared; the text
 * comes from files that msad opened, or stands in the configuration. All of a
 * generation is parsed before it becomes current, so that a bad table refuses
 * the reload and changes nothing.
 *
 * Pairs are kept in one hash per table: key "login NUL address" with the
 * address in the form of form.c, so that a lookup costs the same in a table of
 * ten rows and of a million. The login "*" stands for everybody, the address
 * "*" for any. Tables that a database serves are not here, but in lookup.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/conf_table.h"

#include "tables.h"

#define KEY_MAX	1024

struct pair {
	struct pair	*next;
	uint64_t	 hash;
	size_t		 key_len;
	size_t		 value_len;	/* secrets: user NUL password */
	char		 octets[];	/* key, value */
};

struct table {
	TAILQ_ENTRY(table)	 entry;
	char			*name;
	bool			 secret;
	bool			 remote;	/* its name alone */
	struct pair		**buckets;
	size_t			 nbuckets;	/* a power of two */
	size_t			 npairs;
};

struct tables {
	TAILQ_HEAD(, table)	 list;
	uint64_t		 seed;
	struct form_rules	 rules;
	struct table		 listed;	/* addresses, whosever */
};

/* FNV-1a, seeded, so that nobody can aim rows at one bucket. */
static uint64_t
hash_octets(uint64_t seed, const char *p, size_t n)
{
	uint64_t	h = 0xcbf29ce484222325U ^ seed;

	for (; n > 0; n--, p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3U;
	return h ^ h >> 32;
}

/* --- files --- */

static int
read_all(struct table_file *f, int fd)
{
	size_t	 cap = 0, newcap;
	ssize_t	 n;
	char	*p;

	for (;;) {
		if (f->len == cap) {
			newcap = cap == 0 ? 8192 : cap * 2;
			if (newcap > TABLE_FILE_MAX) {
				errno = EFBIG;
				return -1;
			}
			if ((p = recallocarray(f->text, cap, newcap, 1)) ==
			    NULL)
				return -1;
			f->text = p;
			cap = newcap;
		}
		n = pread(fd, f->text + f->len, cap - f->len, (off_t)f->len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : -1;
		f->len += (size_t)n;
	}
}

static void
table_file_free(struct table_file *f)
{
	if (f->text != NULL)
		freezero(f->text, f->len);
	free(f->name);
	free(f);
}

int
table_file_read(struct table_files *files, struct slice name, int fd)
{
	struct table_file	*f;
	int			 saved;

	if ((f = calloc(1, sizeof(*f))) == NULL ||
	    (f->name = strndup(name.p, name.len)) == NULL ||
	    read_all(f, fd) == -1) {
		saved = errno;
		if (f != NULL)
			table_file_free(f);
		close(fd);
		errno = saved;
		return -1;
	}
	close(fd);
	TAILQ_INSERT_TAIL(files, f, entry);
	return 0;
}

void
table_files_free(struct table_files *files)
{
	struct table_file	*f;

	while ((f = TAILQ_FIRST(files)) != NULL) {
		TAILQ_REMOVE(files, f, entry);
		table_file_free(f);
	}
}

/* --- rows --- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice
trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.p[0]))
		s = slice_from(s, 1);
	while (s.len > 0 && (is_blank(s.p[s.len - 1]) ||
	    s.p[s.len - 1] == '\r'))
		s.len--;
	return s;
}

/* Split "key: rest". 1, 0 for a blank line or comment, -1 with *reason. */
static int
split_row(struct slice line, struct slice *key, struct slice *rest,
    const char **reason)
{
	const char	*colon;
	size_t		 i;

	line = trim(line);
	if (line.len == 0 || line.p[0] == '#')
		return 0;
	if (memchr(line.p, '\0', line.len) != NULL) {
		*reason = "a NUL octet";
		return -1;
	}
	if ((colon = memchr(line.p, ':', line.len)) == NULL) {
		*reason = "no colon after the key";
		return -1;
	}
	*key = trim(SLICE(line.p, (size_t)(colon - line.p)));
	*rest = slice_from(line, (size_t)(colon - line.p) + 1);
	for (i = 0; i < key->len; i++)
		if (is_blank(key->p[i])) {
			*reason = "white space within the key";
			return -1;
		}
	if (key->len == 0 || key->len > 255) {
		*reason = "the key is not of 1 to 255 octets";
		return -1;
	}
	return 1;
}

/* The next item of a comma-separated list; quoted strings hold commas. */
static struct slice
next_item(struct slice *rest)
{
	struct slice	item;
	size_t		i;
	bool		quoted = false;

	for (i = 0; i < rest->len; i++) {
		if (quoted && rest->p[i] == '\\')
			i++;
		else if (rest->p[i] == '"')
			quoted = !quoted;
		else if (rest->p[i] == ',' && !quoted)
			break;
	}
	if (i > rest->len)
		i = rest->len;
	item = trim(SLICE(rest->p, i));
	*rest = slice_from(*rest, i + 1 > rest->len ? rest->len : i + 1);
	return item;
}

int
table_row_senders(const struct form_rules *rules, struct slice line,
    table_add add, void *arg, const char **reason)
{
	struct slice	 key, rest, item;
	char		 addr[FORM_MAX];
	int		 n, r;

	if ((r = split_row(line, &key, &rest, reason)) != 1)
		return r;
	do {
		item = next_item(&rest);
		if ((n = form_entry(rules, item, true, addr)) == -1) {
			*reason = item.len == 0 ? "an empty address" :
			    "neither an address nor @domain nor *";
			return -1;
		}
		if (add(arg, key, SLICE(addr, (size_t)n)) == -1) {
			*reason = "out of memory";
			return -1;
		}
	} while (rest.len > 0);
	return 1;
}

int
table_row_secret(struct slice line, struct slice *label, struct slice *user,
    struct slice *password, const char **reason)
{
	struct slice	 rest;
	size_t		 n;
	int		 r;

	if ((r = split_row(line, label, &rest, reason)) != 1)
		return r;
	rest = trim(rest);
	for (n = 0; n < rest.len && !is_blank(rest.p[n]); n++)
		;
	*user = SLICE(rest.p, n);
	*password = trim(slice_from(rest, n));
	if (user->len == 0 || password->len == 0) {
		*reason = "the row is not \"label: user password\"";
		return -1;
	}
	if (user->len > 255 || password->len > 1024) {
		*reason = "user or password is too long";
		return -1;
	}
	return 1;
}

/* --- hashes --- */

static int
grow(struct table *t)
{
	struct pair	**buckets, *p, *next;
	size_t		  n, i;

	if (t->npairs < t->nbuckets)
		return 0;
	n = t->nbuckets == 0 ? 64 : t->nbuckets * 2;
	if ((buckets = calloc(n, sizeof(*buckets))) == NULL)
		return -1;
	for (i = 0; i < t->nbuckets; i++)
		for (p = t->buckets[i]; p != NULL; p = next) {
			next = p->next;
			p->next = buckets[p->hash & (n - 1)];
			buckets[p->hash & (n - 1)] = p;
		}
	free(t->buckets);
	t->buckets = buckets;
	t->nbuckets = n;
	return 0;
}

static struct pair *
find(const struct table *t, uint64_t seed, const char *key, size_t len)
{
	uint64_t	 hash = hash_octets(seed, key, len);
	struct pair	*p;

	if (t->nbuckets == 0)
		return NULL;
	for (p = t->buckets[hash & (t->nbuckets - 1)]; p != NULL; p = p->next)
		if (p->hash == hash && p->key_len == len &&
		    memcmp(p->octets, key, len) == 0)
			return p;
	return NULL;
}

/* -1 when memory is out. A second row of the same key changes nothing. */
static int
insert(struct table *t, uint64_t seed, const char *key, size_t key_len,
    struct slice a, struct slice b)
{
	struct pair	*p;

	if (find(t, seed, key, key_len) != NULL)
		return 0;
	if (grow(t) == -1 || (p = malloc(sizeof(*p) + key_len + a.len + 1 +
	    b.len)) == NULL)
		return -1;
	p->hash = hash_octets(seed, key, key_len);
	p->key_len = key_len;
	p->value_len = a.len + 1 + b.len;
	memcpy(p->octets, key, key_len);
	memcpy(p->octets + key_len, a.p, a.len);
	p->octets[key_len + a.len] = '\0';
	memcpy(p->octets + key_len + a.len + 1, b.p, b.len);
	p->next = t->buckets[p->hash & (t->nbuckets - 1)];
	t->buckets[p->hash & (t->nbuckets - 1)] = p;
	t->npairs++;
	return 0;
}

/* "login NUL address" into buf; its length, 0 when it does not fit. */
static size_t
pair_key(char *buf, struct slice login, struct slice addr)
{
	if (login.len + 1 + addr.len > KEY_MAX)
		return 0;
	memcpy(buf, login.p, login.len);
	buf[login.len] = '\0';
	memcpy(buf + login.len + 1, addr.p, addr.len);
	return login.len + 1 + addr.len;
}

struct loading {
	struct tables	*ts;
	struct table	*table;
	uint64_t	 seed;
};

static int
add_sender(void *arg, struct slice login, struct slice addr)
{
	struct loading	*l = arg;
	char		 key[KEY_MAX];
	size_t		 n;

	if ((n = pair_key(key, login, addr)) == 0)
		return -1;
	if (addr.p[0] != '@' && insert(&l->ts->listed, l->seed, addr.p,
	    addr.len, SLICE("", 0), SLICE("", 0)) == -1)
		return -1;
	return insert(l->table, l->seed, key, n, SLICE("", 0), SLICE("", 0));
}

static int
load_line(struct loading *l, struct slice line, const char **reason)
{
	struct slice	label, user, password;
	int		r;

	if (line.len > TABLE_LINE_MAX) {
		*reason = "a line is longer than 65536 octets";
		return -1;
	}
	if (!l->table->secret)
		return table_row_senders(&l->ts->rules, line, add_sender, l,
		    reason);
	if ((r = table_row_secret(line, &label, &user, &password, reason)) != 1)
		return r;
	if (insert(l->table, l->seed, label.p, label.len, user, password) ==
	    -1) {
		*reason = "out of memory";
		return -1;
	}
	return 1;
}

static int
load_text(struct loading *l, const struct conf_table *ct, struct slice text,
    char *reason, size_t size)
{
	const char	*lf, *why = "";
	struct slice	 line;
	unsigned int	 lineno = 0;

	while (text.len > 0) {
		lineno++;
		lf = memchr(text.p, '\n', text.len);
		line = SLICE(text.p, lf != NULL ? (size_t)(lf - text.p) :
		    text.len);
		text = slice_from(text, line.len + 1 > text.len ? text.len :
		    line.len + 1);
		if (load_line(l, line, &why) == -1) {
			snprintf(reason, size, "%s:%u: %s", ct->path, lineno,
			    why);
			return -1;
		}
	}
	return 0;
}

/* A row of the configuration is the line "key: value" of a file. */
static int
load_rows(struct loading *l, const struct conf_table *ct, char *reason,
    size_t size)
{
	const struct conf_row	*row;
	const char		*why = "no value";
	char			*line;
	int			 n, r;

	TAILQ_FOREACH(row, &ct->rows, entry) {
		n = asprintf(&line, "%s: %s", row->key,
		    row->value != NULL ? row->value : "");
		if (n == -1)
			return -1;
		r = load_line(l, SLICE(line, (size_t)n), &why);
		freezero(line, (size_t)n);
		if (r == -1) {
			snprintf(reason, size, "table %s: row \"%s\": %s",
			    ct->name, row->key, why);
			return -1;
		}
	}
	return 0;
}

static const struct table_file *
file_of(const struct table_files *files, const char *name)
{
	const struct table_file	*f;

	TAILQ_FOREACH(f, files, entry)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static int
load_table(struct tables *ts, const struct conf_table *ct,
    const struct table_files *files, char *reason, size_t size)
{
	const struct table_file	*f;
	struct loading		 l = { ts, NULL, ts->seed };

	snprintf(reason, size, "table %s: out of memory", ct->name);
	if ((l.table = calloc(1, sizeof(*l.table))) == NULL)
		return -1;
	TAILQ_INSERT_TAIL(&ts->list, l.table, entry);
	l.table->secret = ct->secret;
	l.table->remote = conf_table_remote(ct);
	if ((l.table->name = strdup(ct->name)) == NULL)
		return -1;
	if (l.table->remote)
		return 0;
	if (ct->path == NULL)
		return load_rows(&l, ct, reason, size);
	if ((f = file_of(files, ct->name)) == NULL) {
		snprintf(reason, size, "table %s: the file was not passed",
		    ct->name);
		return -1;
	}
	return load_text(&l, ct, SLICE(f->text, f->len), reason, size);
}

struct tables *
tables_load(const struct conf *conf, const struct table_files *files,
    char *reason, size_t size)
{
	const struct conf_table	*ct;
	struct tables		*ts;

	if ((ts = calloc(1, sizeof(*ts))) == NULL) {
		snprintf(reason, size, "out of memory");
		return NULL;
	}
	TAILQ_INIT(&ts->list);
	arc4random_buf(&ts->seed, sizeof(ts->seed));
	form_rules_set(&ts->rules, conf);
	TAILQ_FOREACH(ct, &conf->tables, entry)
		if (!ct->clients &&
		    load_table(ts, ct, files, reason, size) == -1) {
			tables_free(ts);
			return NULL;
		}
	return ts;
}

static void
table_clear(struct table *t)
{
	struct pair	*p, *next;
	size_t		 i;

	for (i = 0; i < t->nbuckets; i++)
		for (p = t->buckets[i]; p != NULL; p = next) {
			next = p->next;
			freezero(p, sizeof(*p) + p->key_len + p->value_len);
		}
	free(t->buckets);
	free(t->name);
}

void
tables_free(struct tables *ts)
{
	struct table	*t;

	if (ts == NULL)
		return;
	while ((t = TAILQ_FIRST(&ts->list)) != NULL) {
		TAILQ_REMOVE(&ts->list, t, entry);
		table_clear(t);
		free(t);
	}
	table_clear(&ts->listed);
	free(ts);
}

static const struct table *
table_of(const struct tables *ts, const char *name, bool secret)
{
	const struct table	*t;

	TAILQ_FOREACH(t, &ts->list, entry)
		if (t->secret == secret && strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

const struct form_rules *
tables_rules(const struct tables *ts)
{
	return &ts->rules;
}

bool
tables_remote(const struct tables *ts, const char *name)
{
	const struct table	*t = table_of(ts, name, false);

	return t != NULL && t->remote;
}

bool
tables_listed(const struct tables *ts, const struct forms *f)
{
	return find(&ts->listed, ts->seed, f->address.p, f->address.len) !=
	    NULL;
}

/* Has the table this entry, for the login or for everybody? */
static bool
has_entry(const struct tables *ts, const struct table *t, struct slice login,
    struct slice entry)
{
	char	key[KEY_MAX];
	size_t	n;

	if (entry.len == 0)
		return false;
	n = pair_key(key, login, entry);
	if (n != 0 && find(t, ts->seed, key, n) != NULL)
		return true;
	n = pair_key(key, SLICE("*", 1), entry);
	return n != 0 && find(t, ts->seed, key, n) != NULL;
}

bool
tables_sender(const struct tables *ts, const char *name, struct slice login,
    const struct forms *f)
{
	const struct table	*t;

	if ((t = table_of(ts, name, false)) == NULL)
		return false;
	return has_entry(ts, t, login, f->address) ||
	    has_entry(ts, t, login, f->domain) ||
	    has_entry(ts, t, login, SLICE("*", 1)) ||
	    (!tables_listed(ts, f) && has_entry(ts, t, login, f->plain));
}

bool
tables_secret(const struct tables *ts, const char *name, const char *label,
    struct slice *user, struct slice *password)
{
	const struct table	*t;
	const struct pair	*p;

	if ((t = table_of(ts, name, true)) == NULL ||
	    (p = find(t, ts->seed, label, strlen(label))) == NULL)
		return false;
	*user = SLICE_STR(p->octets + p->key_len);
	*password = SLICE(user->p + user->len + 1,
	    p->value_len - user->len - 1);
	return true;
}
