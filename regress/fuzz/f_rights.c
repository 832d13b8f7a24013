/* links: msad/queue/form.c msad/queue/tables.c msad/queue/scope.c */
/*
 * What rights are read from: rows of tables, the scope in a GRANT, addresses.
 * An address covers itself; what stands for it without its sub-address has no
 * separator; writing a form again changes nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "msad/queue/scope.h"
#include "msad/queue/tables.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct form_rules	 all[] = {
	{ false, "" }, { false, "+" }, { true, "+-" }
};

static void
check_mailbox(const struct form_rules *r, struct slice s)
{
	struct forms	f, again;
	char		buf[FORM_MAX];
	size_t		i;
	int		n;

	if (!form_mailbox(r, s, &f))
		return;
	n = form_entry(r, f.address, true, buf);
	if (n == -1 || !slice_eq(SLICE(buf, (size_t)n), f.address) ||
	    !form_covers(f.address, &f, false) ||
	    !form_covers(f.domain, &f, false))
		abort();
	/* a local part of full length may be longer with quotes around it */
	if (f.plain.len == 0 || f.plain.len - f.domain.len > 64)
		return;
	if (!form_mailbox(r, f.plain, &again) || again.plain.len != 0 ||
	    !slice_eq(again.address, f.plain) ||
	    form_covers(f.plain, &f, false) ||
	    !form_covers(f.plain, &f, true))
		abort();
	for (i = 0; i + f.domain.len < f.plain.len; i++)
		if (strchr(r->separators, f.plain.p[i]) != NULL)
			abort();
}

static int
add(void *arg, struct slice key, struct slice value)
{
	char	buf[FORM_MAX];
	int	n;

	n = form_entry(arg, value, true, buf);
	if (key.len == 0 || n == -1 ||
	    !slice_eq(SLICE(buf, (size_t)n), value))
		abort();
	return 0;
}

static void
check_scope(const uint8_t *data, size_t size)
{
	struct ipc_msg		msg = { .data = data, .len = size, .fd = -1 };
	struct ipc_reader	r;
	struct scope_claim	c;
	struct scope		s;

	ipc_reader(&r, &msg);
	if (scope_read(&r, &c) == -1 || !ipc_done(&r) ||
	    scope_set(&s, &c) == -1)
		return;
	if (s.nsenders != c.nsenders || s.ndomains != c.ndomains)
		abort();
	scope_clear(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct form_rules	 r;
	struct slice		 s, user, label, password;
	const char		*reason = NULL;

	if (size == 0)
		return 0;
	r = all[data[0] % 3];
	s = SLICE(data + 1, size - 1);
	check_mailbox(&r, s);
	if (table_row_senders(&r, s, add, &r, &reason) == -1 && reason == NULL)
		abort();
	(void)table_row_secret(s, &label, &user, &password, &reason);
	check_scope(data + 1, size - 1);
	return 0;
}
