/*
 * Credentials with a scope: what msad-auth says of a login beside who it is,
 * kept with the grant and enforced here. Runs in msad-queue; grant.c keeps it,
 * rights.c and transaction.c ask. It comes from msad-auth, which is trusted
 * for it; but an entry that cannot be read refuses the grant, so that no
 * restriction is lost on the way.
 */
#include <stdlib.h>
#include <string.h>

#include "common/idna.h"

#include "scope.h"

static size_t
read_list(struct ipc_reader *r, struct slice *list)
{
	size_t	i, n = ipc_get_u16(r);

	if (n > GRANT_LIST_MAX) {
		r->bad = 1;
		return 0;
	}
	for (i = 0; i < n; i++)
		list[i] = ipc_get_str(r);
	return n;
}

int
scope_read(struct ipc_reader *r, struct scope_claim *c)
{
	c->flags = ipc_get_u8(r);
	c->label = ipc_get_str(r);
	c->nsenders = read_list(r, c->senders);
	c->ndomains = read_list(r, c->domains);
	c->rate = ipc_get_u32(r);
	c->not_before = ipc_get_u64(r);
	return r->bad || (c->flags & ~GRANT_FLAGS) ? -1 : 0;
}

static bool
is_entry(struct slice s)
{
	static const struct form_rules	 exact;
	char				 buf[FORM_MAX];

	return form_entry(&exact, s, false, buf) != -1;
}

static bool
is_domain(struct slice s)
{
	return idna_domain_ok(s, true);
}

/* Copies of n slices that are all fit; NULL when one is not, or no memory. */
static char **
copy_list(const struct slice *from, size_t n, bool (*fit)(struct slice))
{
	char	**list;
	size_t	  i;

	if ((list = calloc(n + 1, sizeof(*list))) == NULL)
		return NULL;
	for (i = 0; i < n; i++)
		if (!fit(from[i]) ||
		    (list[i] = strndup(from[i].p, from[i].len)) == NULL)
			break;
	if (i == n)
		return list;
	while (i > 0)
		free(list[--i]);
	free(list);
	return NULL;
}

int
scope_set(struct scope *s, const struct scope_claim *c)
{
	static const struct scope_claim	 none;

	memset(s, 0, sizeof(*s));
	if (c == NULL)
		c = &none;
	s->flags = c->flags;
	s->rate = c->rate;
	s->not_before = c->not_before;
	s->label = c->label.len > 0 ? strndup(c->label.p, c->label.len) :
	    strdup("");
	s->senders = copy_list(c->senders, c->nsenders, is_entry);
	s->domains = copy_list(c->domains, c->ndomains, is_domain);
	s->nsenders = s->senders != NULL ? c->nsenders : 0;
	s->ndomains = s->domains != NULL ? c->ndomains : 0;
	if (s->label != NULL && s->senders != NULL && s->domains != NULL)
		return 0;
	scope_clear(s);
	return -1;
}

void
scope_clear(struct scope *s)
{
	size_t	i;

	for (i = 0; i < s->nsenders; i++)
		free(s->senders[i]);
	for (i = 0; i < s->ndomains; i++)
		free(s->domains[i]);
	free(s->senders);
	free(s->domains);
	free(s->label);
	memset(s, 0, sizeof(*s));
}

bool
scope_sender(const struct scope *s, const struct form_rules *rules,
    const struct forms *f, bool plain)
{
	char	 buf[FORM_MAX];
	size_t	 i;
	int	 n;

	if (s == NULL || s->nsenders == 0)
		return true;
	for (i = 0; i < s->nsenders; i++) {
		n = form_entry(rules, SLICE_STR(s->senders[i]), false, buf);
		if (n != -1 && form_covers(SLICE(buf, (size_t)n), f, plain))
			return true;
	}
	return false;
}

bool
scope_rcpt(const struct scope *s, struct slice path)
{
	struct address	a;
	size_t		i;

	if (s == NULL || s->ndomains == 0)
		return true;
	if (idna_address_parse(path, &a) != ADDRESS_OK)
		return false;
	for (i = 0; i < s->ndomains; i++)
		if (idna_domain_equal(a.domain, SLICE_STR(s->domains[i])))
			return true;
	return false;
}
