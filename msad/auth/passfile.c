/*
 * The passwd file of an auth block, in memory: read at start and at each
 * reload from a descriptor that msad opened, as msad-auth has no files.
 *
 * Runs in msad-auth. The file belongs to root and is trusted to say who may log
 * in; it is still read strictly, since half a file would lock users out
 * silently. Called by auth.c (load) and verify.c and scram.c (lookups).
 */

#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/passwd_line.h"
#include "common/saslprep.h"
#include "msad/auth/passfile.h"
#include "msad/auth/sasl_text.h"

#define READ_SIZE	(PASSWD_LINE_MAX + 65536)

/* A file under way. */
struct loading {
	struct passfile	*pf;
	size_t		 room;		/* of pf->list */
	unsigned int	 line;
	const char	*path;
	char		*reason;
	size_t		 size;
};

struct passfile *
passfile_ref(struct passfile *pf)
{
	pf->refs++;
	return pf;
}

void
passfile_release(struct passfile *pf)
{
	size_t	 i;

	if (pf == NULL || --pf->refs > 0)
		return;
	for (i = 0; i < pf->n; i++)
		credential_release(pf->list[i]);
	free(pf->list);
	free(pf->costs[0]);
	free(pf->costs[1]);
	credential_release(pf->dummy);
	freezero(pf, sizeof(*pf));
}

/* --- from a line --- */

static int __attribute__((__format__(__printf__, 2, 3)))
bad(struct loading *in, const char *fmt, ...)
{
	va_list	 ap;
	int	 n;

	n = snprintf(in->reason, in->size, "%s:%u: ", in->path, in->line);
	va_start(ap, fmt);
	if (n > 0 && (size_t)n < in->size)
		vsnprintf(in->reason + n, in->size - (size_t)n, fmt, ap);
	va_end(ap);
	return -1;
}

static int
copy_list(char ***to, size_t *n, const struct slice *from, size_t count)
{
	if (count == 0)
		return 0;
	if ((*to = calloc(count, sizeof(**to))) == NULL)
		return -1;
	for (*n = 0; *n < count; (*n)++)
		if (((*to)[*n] = strndup(from[*n].p, from[*n].len)) == NULL)
			return -1;
	return 0;
}

static int
copy_scram(struct scram_verifier **to, bool has,
    const struct scram_verifier *from)
{
	if (!has)
		return 0;
	if ((*to = malloc(sizeof(**to))) == NULL)
		return -1;
	**to = *from;
	return 0;
}

static int
fill(struct credential *c, const struct passwd_line *l)
{
	c->expires = l->expires;
	c->relay_after = l->relay_after;
	c->rate = l->rate;
	c->mechs = l->mechs;
	if ((c->user = strndup(l->user.p, l->user.len)) == NULL ||
	    (c->label = strndup(l->label.len > 0 ? l->label.p : "",
	    l->label.len)) == NULL ||
	    (l->crypt.len > 0 &&
	    (c->crypt = strndup(l->crypt.p, l->crypt.len)) == NULL) ||
	    copy_scram(&c->sha256, l->has_sha256, &l->sha256) == -1 ||
	    copy_scram(&c->sha1, l->has_sha1, &l->sha1) == -1 ||
	    copy_list(&c->senders, &c->nsenders, l->senders,
	    l->nsenders) == -1 ||
	    copy_list(&c->rcpt_domains, &c->nrcpt_domains, l->domains,
	    l->ndomains) == -1)
		return -1;
	if (l->nnetworks == 0)
		return 0;
	c->networks = reallocarray(NULL, l->nnetworks, sizeof(*c->networks));
	if (c->networks == NULL)
		return -1;
	memcpy(c->networks, l->networks, l->nnetworks * sizeof(*c->networks));
	c->nnetworks = l->nnetworks;
	return 0;
}

static struct credential *
credential_new(const struct passwd_line *l)
{
	struct credential	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	c->refs = 1;
	if (fill(c, l) == -1) {
		credential_release(c);
		return NULL;
	}
	return c;
}

static int
add(struct loading *in, struct credential *c)
{
	struct credential	**list;

	if (in->pf->n == in->room) {
		in->room = in->room == 0 ? 64 : 2 * in->room;
		list = reallocarray(in->pf->list, in->room, sizeof(*list));
		if (list == NULL)
			return -1;
		in->pf->list = list;
	}
	in->pf->list[in->pf->n++] = c;
	return 0;
}

static int
take_line(struct loading *in, struct slice line)
{
	static struct passwd_line	 l;
	struct credential		*c;
	const char			*reason;
	char				 name[SASL_NAME_MAX + 1];
	int				 n;

	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	if (passwd_line_blank(line))
		return 0;
	if (in->pf->n == PASSFILE_LINES_MAX)
		return bad(in, "more than %d entries", PASSFILE_LINES_MAX);
	if (passwd_line_parse(line, &l, &reason) == -1)
		return bad(in, "%s", reason);
	n = saslprep(l.user, name, sizeof(name));
	if (!sasl_name_ok(l.user) || n == -1 ||
	    !slice_eq(l.user, SLICE(name, n)))
		return bad(in, "the user name is not in the form of SASLprep "
		    "(RFC 4013)");
	if ((c = credential_new(&l)) == NULL)
		return bad(in, "out of memory");
	if (add(in, c) == -1) {
		credential_release(c);
		return bad(in, "out of memory");
	}
	return 0;
}

/* --- the file --- */

/* Take the whole lines of buf; returns what is left, -1 on error. */
static ssize_t
take_lines(struct loading *in, char *buf, size_t n, bool last)
{
	char	*p = buf, *nl;

	while ((nl = memchr(p, '\n', n)) != NULL || (last && n > 0)) {
		size_t	 len = nl != NULL ? (size_t)(nl - p) : n;

		in->line++;
		if (take_line(in, SLICE(p, len)) == -1)
			return -1;
		len += nl != NULL;
		p += len;
		n -= len;
	}
	memmove(buf, p, n);
	return (ssize_t)n;
}

static int
read_all(struct loading *in, int fd, char *buf)
{
	size_t	 used = 0, total = 0;
	ssize_t	 got, left;

	for (;;) {
		got = pread(fd, buf + used, READ_SIZE - used, (off_t)total);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return bad(in, "%s", strerror(errno));
		total += (size_t)got;
		if (total > PASSFILE_SIZE_MAX)
			return bad(in, "the file is larger than 64 MiB");
		left = take_lines(in, buf, used + (size_t)got, got == 0);
		if (left == -1)
			return -1;
		if (got == 0)
			return 0;
		if ((used = (size_t)left) > PASSWD_LINE_MAX) {
			in->line++;
			return bad(in, "line is longer than %d octets",
			    PASSWD_LINE_MAX);
		}
	}
}

/* --- order --- */

static int
by_user(const void *a, const void *b)
{
	const struct credential	*const *x = a, *const *y = b;

	return strcmp((*x)->user, (*y)->user);
}

/* Labels of a user are told apart, and are not too many. */
static int
check_labels(struct loading *in)
{
	struct credential	**list = in->pf->list;
	size_t			  i, j;

	for (i = 1; i < in->pf->n; i++)
		for (j = i; j > 0 &&
		    strcmp(list[j - 1]->user, list[i]->user) == 0; j--) {
			if (i - j + 1 >= PASSFILE_LABELS_MAX) {
				snprintf(in->reason, in->size, "%s: user "
				    "\"%.64s\" has more than %d entries",
				    in->path, list[i]->user,
				    PASSFILE_LABELS_MAX);
				return -1;
			}
			if (strcmp(list[j - 1]->label, list[i]->label) != 0)
				continue;
			snprintf(in->reason, in->size, "%s: user \"%.64s\" "
			    "with label \"%s\" is there twice", in->path,
			    list[i]->user, list[i]->label);
			return -1;
		}
	return 0;
}

/* --- users who are not there --- */

/* A hash of the kind that the file's first entry has, of no password. */
static struct credential *
dummy_new(const struct passfile *pf)
{
	static struct passwd_line	 l;
	const struct credential		*like = pf->n > 0 ? pf->list[0] : NULL;

	memset(&l, 0, sizeof(l));
	l.user = SLICE_STR("nobody");
	if (like != NULL && like->sha256 == NULL && like->crypt != NULL)
		l.crypt = SLICE_STR(like->crypt);
	else {
		l.has_sha256 = true;
		if (like != NULL && like->sha256 != NULL)
			l.sha256.iterations = like->sha256->iterations;
		else
			l.sha256.iterations = SCRAM_ITERATIONS;
		l.sha256.nsalt = SCRAM_SALT;
		arc4random_buf(l.sha256.salt, SCRAM_SALT);
		arc4random_buf(l.sha256.stored, SCRAM_HASH_MAX);
	}
	return credential_new(&l);
}

/*
 * The key of false salts comes from a secret of the file where it can, so that
 * a restart does not change salts that should never change.
 */
static void
make_fake_key(struct passfile *pf)
{
	const struct slice	 text = SLICE_STR("msad salt of nobody");
	size_t			 i;

	for (i = 0; i < pf->n; i++)
		if (pf->list[i]->sha256 != NULL &&
		    scram_hmac(SCRAM_SHA256, pf->list[i]->sha256->server,
		    SCRAM_HASH_MAX, text, pf->fake_key) == 0)
			return;
	arc4random_buf(pf->fake_key, sizeof(pf->fake_key));
}

static const struct scram_verifier *
verifier(const struct credential *c, enum scram_hash hash)
{
	return hash == SCRAM_SHA1 ? c->sha1 : c->sha256;
}

static int
by_cost(const void *a, const void *b)
{
	const uint32_t	*x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Note iterations and salt length of all verifiers of one kind. */
static int
note_costs(struct passfile *pf, enum scram_hash hash)
{
	const struct scram_verifier	*v;
	uint32_t			*costs;
	size_t				 i, n = 0;

	for (i = 0; i < pf->n; i++)
		n += verifier(pf->list[i], hash) != NULL;
	if (n == 0)
		return 0;
	if ((costs = reallocarray(NULL, n, sizeof(*costs))) == NULL)
		return -1;
	for (i = 0, n = 0; i < pf->n; i++)
		if ((v = verifier(pf->list[i], hash)) != NULL)
			costs[n++] = v->iterations << 8 | (uint32_t)v->nsalt;
	qsort(costs, n, sizeof(*costs), by_cost);
	pf->costs[hash] = costs;
	pf->ncosts[hash] = n;
	return 0;
}

/* All lines are there. */
static int
finish(struct loading *in)
{
	struct passfile	*pf = in->pf;

	make_fake_key(pf);
	if ((pf->dummy = dummy_new(pf)) == NULL ||
	    note_costs(pf, SCRAM_SHA1) == -1 ||
	    note_costs(pf, SCRAM_SHA256) == -1 ||
	    (pf->n > 1 && mergesort(pf->list, pf->n, sizeof(*pf->list),
	    by_user) == -1)) {
		snprintf(in->reason, in->size, "%s: out of memory", in->path);
		return -1;
	}
	return check_labels(in);
}

struct passfile *
passfile_load(int fd, const char *path, char *reason, size_t size)
{
	struct loading	 in = { .path = path, .reason = reason, .size = size };
	char		*buf;

	if ((in.pf = calloc(1, sizeof(*in.pf))) == NULL ||
	    (buf = malloc(READ_SIZE)) == NULL) {
		free(in.pf);
		snprintf(reason, size, "%s: out of memory", path);
		return NULL;
	}
	in.pf->refs = 1;
	if (read_all(&in, fd, buf) == -1 || finish(&in) == -1) {
		passfile_release(in.pf);
		in.pf = NULL;
	}
	freezero(buf, READ_SIZE);
	return in.pf;
}

/* --- lookups --- */

size_t
passfile_find(const struct passfile *pf, struct slice user,
    struct credential *const **first)
{
	char	 name[SASL_NAME_MAX + 1];
	size_t	 low = 0, high = pf->n, mid, end;

	if (saslprep(user, name, sizeof(name)) == -1)
		return 0;
	while (low < high) {
		mid = low + (high - low) / 2;
		if (strcmp(pf->list[mid]->user, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*first = pf->list + low;
	for (end = low; end < pf->n; end++)
		if (strcmp(pf->list[end]->user, name) != 0)
			break;
	return end - low;
}

/* HMAC of a name and one letter more, for which there is room. */
static void
fake_mac(const struct passfile *pf, char *name, size_t n, char what,
    uint8_t *mac)
{
	name[n] = what;
	if (scram_hmac(SCRAM_SHA256, pf->fake_key, sizeof(pf->fake_key),
	    SLICE(name, n + 1), mac) == -1)
		memset(mac, 0, SCRAM_HASH_MAX);
}

/*
 * A name has a place between the least and the largest cost of the file, so
 * that another line in the file moves few names to another cost. The place
 * says nothing of the salt, and is one for both kinds, as a user's verifiers
 * mostly have the same iterations.
 */
static uint32_t
fake_cost(const struct passfile *pf, enum scram_hash hash, char *name,
    size_t n)
{
	uint8_t		mac[SCRAM_HASH_MAX];
	uint32_t	place;

	if (pf->ncosts[hash] == 0)
		return SCRAM_ITERATIONS << 8 | SCRAM_SALT;
	fake_mac(pf, name, n, 'i', mac);
	memcpy(&place, mac, sizeof(place));
	return pf->costs[hash][(uint64_t)place * pf->ncosts[hash] >> 32];
}

void
passfile_fake(const struct passfile *pf, enum scram_hash hash,
    struct slice user, struct scram_verifier *v)
{
	char		 name[SASL_NAME_MAX + 2];
	uint32_t	 cost;
	int		 n;

	/* The name's one spelling, or two of them would tell. */
	n = saslprep(user, name, SASL_NAME_MAX + 1);
	if (n == -1) {
		n = (int)(user.len < SASL_NAME_MAX ? user.len : SASL_NAME_MAX);
		memcpy(name, user.p, (size_t)n);
	}
	memset(v, 0, sizeof(*v));
	cost = fake_cost(pf, hash, name, (size_t)n);
	v->iterations = cost >> 8;
	v->nsalt = cost & 0xff;
	/* Who has two verifiers has two salts. */
	fake_mac(pf, name, (size_t)n, hash == SCRAM_SHA1 ? '1' : '2', v->salt);
	if (v->nsalt > SCRAM_HASH_MAX)
		fake_mac(pf, name, (size_t)n, hash == SCRAM_SHA1 ? '3' : '4',
		    v->salt + SCRAM_HASH_MAX);
	memset(v->salt + v->nsalt, 0, SCRAM_SALT_MAX - v->nsalt);
}
