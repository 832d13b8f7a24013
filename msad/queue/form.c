/*
 * The form in which addresses are compared: what a login may use, what a table
 * lists, what stands in the envelope and the header. Runs in msad-queue, on
 * octets from tables, databases, front-ends and msad-auth alike. Pure.
 *
 * A sub-address is cut at the first separator of the octets that the local part
 * means, so that no way of quoting makes another address of it; an address
 * whose local part begins with a separator has none. What is left has no
 * separator: an entry that has one is matched by the very same address alone.
 */
#include <ctype.h>
#include <string.h>

#include "common/idna.h"

#include "form.h"

#define LOCAL_MAX	64

void
form_rules_set(struct form_rules *r, const struct conf *conf)
{
	memset(r, 0, sizeof(*r));
	r->fold = conf->fold_local;
	if (conf->subaddress != NULL)
		strlcpy(r->separators, conf->subaddress,
		    sizeof(r->separators));
}

static void
lower(char *p, size_t n)
{
	for (; n > 0; n--, p++)
		*p = (char)tolower((unsigned char)*p);
}

/*
 * The least-quoted form, the domain as A-labels in lower case; with fold the
 * ASCII of the local part lowered too.
 */
static int
write_form(const struct form_rules *r, const struct address *a, char *buf)
{
	int	 n = idna_address_key(a, buf, FORM_MAX);

	if (n != -1 && r->fold)
		lower(buf, (size_t)n);
	return n;
}

/* The local part up to the first separator, quoted again; its length or 0. */
static size_t
cut_local(const struct form_rules *r, struct slice local, char *buf)
{
	bool	quoted = local.len > 1 && local.p[0] == '"';
	size_t	i = quoted, end = quoted ? local.len - 1 : local.len;

	for (; i < end; i++) {
		if (strchr(r->separators, local.p[i]) != NULL)
			break;
		if (quoted && local.p[i] == '\\')
			i++;
	}
	if (i >= end || i == quoted)
		return 0;
	memcpy(buf, local.p, i);
	if (quoted)
		buf[i++] = '"';
	return i;
}

/*
 * The form without the sub-address into f->base. What is cut is the exact form,
 * in which a separator cannot stand behind a backslash.
 */
static void
set_plain(const struct form_rules *r, struct forms *f)
{
	char		 local[LOCAL_MAX * 2 + 2];
	struct address	 cut;
	struct slice	 from = SLICE(f->exact, f->address.len - f->domain.len);
	int		 n;

	f->plain = SLICE(f->base, 0);
	if (r->separators[0] == '\0' || from.len > sizeof(local) - 1)
		return;
	cut.domain = slice_from(f->domain, 1);
	cut.local = SLICE(local, cut_local(r, from, local));
	if (cut.local.len > 0 && (n = write_form(r, &cut, f->base)) != -1)
		f->plain.len = (size_t)n;
}

bool
form_mailbox(const struct form_rules *r, struct slice s, struct forms *f)
{
	struct address	 a;
	int		 n, at;

	if (idna_address_parse(s, &a) != ADDRESS_OK ||
	    (n = write_form(r, &a, f->exact)) == -1)
		return false;
	for (at = n - 1; f->exact[at] != '@'; at--)
		;
	f->address = SLICE(f->exact, (size_t)n);
	f->domain = slice_from(f->address, (size_t)at);
	set_plain(r, f);
	return true;
}

int
form_entry(const struct form_rules *r, struct slice s, bool any, char *buf)
{
	struct address	 a;
	int		 n;

	if (any && slice_is(s, "*")) {
		buf[0] = '*';
		return 1;
	}
	if (s.len > 1 && s.p[0] == '@') {
		a = (struct address){ SLICE("x", 1), slice_from(s, 1) };
		if (!idna_domain_ok(a.domain, true) ||
		    (n = idna_address_key(&a, buf, FORM_MAX)) == -1)
			return -1;
		memmove(buf, buf + 1, (size_t)n);	/* the x, not the NUL */
		return n - 1;
	}
	return idna_address_parse(s, &a) != ADDRESS_OK ? -1 :
	    write_form(r, &a, buf);
}

bool
form_covers(struct slice entry, const struct forms *f, bool plain)
{
	return slice_is(entry, "*") || slice_eq(entry, f->address) ||
	    slice_eq(entry, f->domain) ||
	    (plain && f->plain.len > 0 && slice_eq(entry, f->plain));
}
