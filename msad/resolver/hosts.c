/*
 * The hosts file and resolv.conf, in msad-resolver, which has no files: msad
 * sends the descriptors and resolver.c hands over the text.
 *
 * Both are the administrator's, but parsed as anything else: bounded lines,
 * bounded entries, addresses checked and rewritten in their usual form. In
 * resolv.conf only nameserver counts: names in msad.conf are full names, so
 * that search lists have no effect.
 */

#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>

#include <stdlib.h>
#include <string.h>

#include "msad/resolver/hosts.h"

struct entry {
	char		*name;
	size_t		 order;		/* place in the file */
	int		 family;	/* 4 or 6 */
	char		 addr[INET6_ADDRSTRLEN];
};

struct hosts {
	struct entry	*entries;	/* by name, then order */
	size_t		 n, size;
};

int
host_name(const char *name, size_t len, char *out, size_t size)
{
	size_t	 i;
	char	 c;

	if (len > 1 && name[len - 1] == '.')
		len--;
	if (len == 0 || len > 253 || len >= size || name[0] == '.')
		return -1;
	for (i = 0; i < len; i++) {
		c = name[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '_' || c == '.'))
			return -1;
		if (c == '.' && name[i - 1] == '.')
			return -1;
		out[i] = c;
	}
	out[len] = '\0';
	return 0;
}

/* Cut the next word off the line; 0 when there is none. */
static int
next_word(const char **p, size_t *left, const char **word, size_t *len)
{
	size_t	 i = 0, start;

	while (i < *left && ((*p)[i] == ' ' || (*p)[i] == '\t'))
		i++;
	start = i;
	while (i < *left && (*p)[i] != ' ' && (*p)[i] != '\t' &&
	    (*p)[i] != '#' && (*p)[i] != '\r')
		i++;
	*word = *p + start;
	*len = i - start;
	*p += i;
	*left -= i;
	return *len > 0;
}

/* The family of a numeric address, rewritten into addr; 0: it is none. */
static int
address(const char *p, size_t len, char addr[INET6_ADDRSTRLEN])
{
	char		 text[INET6_ADDRSTRLEN];
	unsigned char	 bin[16];
	int		 af;

	if (len >= sizeof(text))
		return 0;
	memcpy(text, p, len);
	text[len] = '\0';
	for (af = AF_INET; ; af = AF_INET6) {
		if (inet_pton(af, text, bin) == 1)
			break;
		if (af == AF_INET6)
			return 0;
	}
	if (inet_ntop(af, bin, addr, INET6_ADDRSTRLEN) == NULL)
		return 0;
	return af == AF_INET ? 4 : 6;
}

static int
hosts_add(struct hosts *h, const char *name, int family, const char *addr)
{
	struct entry	*e;
	size_t		 size;

	if (h->n == HOSTS_MAX)
		return 0;
	if (h->n == h->size) {
		size = h->size == 0 ? 16 : h->size * 2;
		e = reallocarray(h->entries, size, sizeof(*e));
		if (e == NULL)
			return -1;
		h->entries = e;
		h->size = size;
	}
	e = &h->entries[h->n];
	if ((e->name = strdup(name)) == NULL)
		return -1;
	e->order = h->n++;
	e->family = family;
	strlcpy(e->addr, addr, sizeof(e->addr));
	return 0;
}

static int
hosts_line(struct hosts *h, const char *p, size_t left)
{
	const char	*word;
	char		 addr[INET6_ADDRSTRLEN], name[256];
	size_t		 len;
	int		 family;

	if (left > HOSTS_LINE_MAX || !next_word(&p, &left, &word, &len) ||
	    (family = address(word, len, addr)) == 0)
		return 0;
	while (next_word(&p, &left, &word, &len))
		if (host_name(word, len, name, sizeof(name)) == 0 &&
		    hosts_add(h, name, family, addr) == -1)
			return -1;
	return 0;
}

static int
entry_cmp(const void *a, const void *b)
{
	const struct entry	*x = a, *y = b;
	int			 c = strcmp(x->name, y->name);

	if (c != 0)
		return c;
	return x->order < y->order ? -1 : x->order > y->order;
}

struct hosts *
hosts_parse(const char *text, size_t len)
{
	const char	*end = text + len, *lf;
	struct hosts	*h;

	if ((h = calloc(1, sizeof(*h))) == NULL)
		return NULL;
	for (; text < end; text = lf + 1) {
		lf = memchr(text, '\n', (size_t)(end - text));
		if (lf == NULL)
			lf = end;
		if (hosts_line(h, text, (size_t)(lf - text)) == -1) {
			hosts_free(h);
			return NULL;
		}
		if (lf == end)
			break;
	}
	if (h->n > 0)
		qsort(h->entries, h->n, sizeof(*h->entries), entry_cmp);
	return h;
}

void
hosts_free(struct hosts *h)
{
	size_t	 i;

	if (h == NULL)
		return;
	for (i = 0; i < h->n; i++)
		free(h->entries[i].name);
	free(h->entries);
	free(h);
}

size_t
hosts_find(const struct hosts *h, const char *name, int family,
    const char **addr, size_t max)
{
	size_t	 lo = 0, hi, mid, found = 0, i;

	for (hi = h->n; lo < hi; ) {
		mid = lo + (hi - lo) / 2;
		if (strcmp(h->entries[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < h->n && found < max; lo++) {
		if (strcmp(h->entries[lo].name, name) != 0)
			break;
		if (family != 0 && h->entries[lo].family != family)
			continue;
		for (i = 0; i < found; i++)	/* listed twice */
			if (strcmp(addr[i], h->entries[lo].addr) == 0)
				break;
		if (i == found)
			addr[found++] = h->entries[lo].addr;
	}
	return found;
}

size_t
resolv_parse(const char *text, size_t len, char servers[RESOLV_MAX][64])
{
	const char	*end = text + len, *lf, *p, *word;
	char		 addr[INET6_ADDRSTRLEN];
	size_t		 n = 0, left, wlen;

	for (; text < end && n < RESOLV_MAX; text = lf + 1) {
		lf = memchr(text, '\n', (size_t)(end - text));
		if (lf == NULL)
			lf = end;
		p = text;
		left = (size_t)(lf - text);
		if (next_word(&p, &left, &word, &wlen) && wlen == 10 &&
		    memcmp(word, "nameserver", 10) == 0 &&
		    next_word(&p, &left, &word, &wlen) &&
		    address(word, wlen, addr) != 0)
			strlcpy(servers[n++], addr, 64);
		if (lf == end)
			break;
	}
	return n;
}
