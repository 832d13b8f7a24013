/*
 * Addresses that stand for a login, as the login script of a POP or IMAP server
 * grants them by msactl (byaddress.h). Runs in msad-auth; pure: control.c
 * grants and takes back, attempt.c asks for each session that opens, and ends
 * the sessions of one that no longer holds.
 *
 * An address is one client alone: IPv6 counts with all its bits, since a /64
 * is a whole site.
 */

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>

#include "msad/auth/byaddress.h"

#define ADDRESS_MAX	45	/* octets of a numeric address */

struct entry {
	struct byaddress	 b;
	RB_ENTRY(entry)		 node;
	TAILQ_ENTRY(entry)	 order;
};

static int	compare(const struct entry *, const struct entry *);

RB_HEAD(entry_tree, entry);
RB_PROTOTYPE(entry_tree, entry, node, compare)

static struct entry_tree	 tree = RB_INITIALIZER(&tree);
static TAILQ_HEAD(, entry)	 list = TAILQ_HEAD_INITIALIZER(list);
static unsigned int		 nentries;
static uint64_t			 last_serial;
static void			(*gone)(const struct byaddress *);

static int
compare_address(const struct network *a, const struct network *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->addr, b->addr, a->family == AF_INET ? 4 : 16);
}

static int
compare(const struct entry *a, const struct entry *b)
{
	int	 c = compare_address(&a->b.address, &b->b.address);

	return c != 0 ? c : strcmp(a->b.block, b->b.block);
}

RB_GENERATE(entry_tree, entry, node, compare)

void
byaddress_init(void (*fn)(const struct byaddress *))
{
	gone = fn;
}

bool
byaddress_parse(struct slice s, struct network *n)
{
	struct sockaddr_storage	 ss;
	struct sockaddr_in	*in = (void *)&ss;
	struct sockaddr_in6	*in6 = (void *)&ss;
	char			 text[ADDRESS_MAX + 1];

	if (s.len == 0 || s.len > ADDRESS_MAX ||
	    memchr(s.p, '\0', s.len) != NULL)
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	memset(&ss, 0, sizeof(ss));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
		ss.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		ss.ss_family = AF_INET6;
	else
		return false;
	return network_of((struct sockaddr *)&ss, 32, 128, n);
}

static void
entry_free(struct entry *e)
{
	free(e->b.block);
	free(e->b.user);
	free(e);
}

static void
entry_end(struct entry *e)
{
	RB_REMOVE(entry_tree, &tree, e);
	TAILQ_REMOVE(&list, e, order);
	nentries--;
	if (gone != NULL)
		gone(&e->b);
	entry_free(e);
}

static struct entry *
entry_find(const struct network *address, const char *block)
{
	struct entry	 want;

	want.b.address = *address;
	/* nothing is written through it */
	want.b.block = (char *)(uintptr_t)block;
	return RB_FIND(entry_tree, &tree, &want);
}

static struct entry *
entry_new(const struct network *address, const char *block, const char *user)
{
	struct entry	*e;

	if (nentries == BYADDRESS_MAX || (e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	e->b.address = *address;
	e->b.block = strdup(block);
	e->b.user = strdup(user);
	if (e->b.block == NULL || e->b.user == NULL) {
		entry_free(e);
		return NULL;
	}
	e->b.serial = ++last_serial;
	RB_INSERT(entry_tree, &tree, e);
	TAILQ_INSERT_TAIL(&list, e, order);
	nentries++;
	return e;
}

int
byaddress_grant(const struct network *address, const char *block,
    const char *user, unsigned int seconds, int64_t now_ms)
{
	struct entry	*e = entry_find(address, block);

	if (e != NULL && strcmp(e->b.user, user) != 0) {
		entry_end(e);
		e = NULL;
	}
	if (e == NULL && (e = entry_new(address, block, user)) == NULL)
		return -1;
	e->b.until = now_ms + (int64_t)seconds * 1000;
	return 0;
}

struct byaddress *
byaddress_find(const struct network *address, const char *block,
    int64_t now_ms)
{
	struct entry	*e = entry_find(address, block);

	return e != NULL && e->b.until > now_ms ? &e->b : NULL;
}

unsigned int
byaddress_remove(const struct network *address)
{
	struct entry	*e, *next;
	unsigned int	 n = 0;

	TAILQ_FOREACH_SAFE(e, &list, order, next) {
		if (compare_address(&e->b.address, address) != 0)
			continue;
		entry_end(e);
		n++;
	}
	return n;
}

const struct byaddress *
byaddress_after(uint64_t serial)
{
	struct entry	*e;

	TAILQ_FOREACH(e, &list, order)
		if (e->b.serial > serial)
			return &e->b;
	return NULL;
}

unsigned int
byaddress_expire(int64_t now_ms)
{
	struct entry	*e, *next;

	TAILQ_FOREACH_SAFE(e, &list, order, next)
		if (e->b.until <= now_ms)
			entry_end(e);
	return nentries;
}
