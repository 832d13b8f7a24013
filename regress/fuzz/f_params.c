/*
 * Parameters of MAIL and RCPT: slices stay inside, what parses is printed in a
 * form that is canonical and says the same; xtext comes back as it went.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/orcpt.h"
#include "common/params.h"
#include "common/xtext.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
inside(struct slice s, struct slice text)
{
	if (s.p != NULL && (s.p < text.p || s.p + s.len > text.p + text.len))
		abort();
}

static void
check_mail(struct slice text)
{
	struct mail_params	m, again;
	char			buf[PARAMS_TEXT_MAX + 1];
	int			n;

	if (params_mail(text, EXT_ALL, &m) != PARAMS_OK)
		return;
	inside(m.ret_text, text);
	inside(m.envid, text);
	inside(m.holduntil, text);
	if ((n = params_mail_print(&m, buf, sizeof(buf))) == -1)
		return;
	if (!params_mail_canonical(SLICE(buf, (size_t)n), &again) ||
	    again.by != m.by || again.priority != m.priority ||
	    again.holdfor != m.holdfor || again.ret != m.ret ||
	    again.body != m.body || !slice_eq(again.envid, m.envid))
		abort();
}

static void
check_rcpt(struct slice text)
{
	struct rcpt_params	r, again;
	char			buf[PARAMS_TEXT_MAX + 1];
	bool			ascii;
	int			n;

	if (params_rcpt(text, EXT_ALL, &r) != PARAMS_OK)
		return;
	inside(r.notify_text, text);
	inside(r.orcpt, text);
	ascii = r.orcpt.p == NULL || orcpt_is_ascii(r.orcpt);
	if ((n = params_rcpt_print(&r, buf, sizeof(buf))) == -1) {
		if (ascii)		/* others grow by their escapes */
			abort();
		return;
	}
	if (!params_rcpt_canonical(SLICE(buf, (size_t)n), &again) ||
	    again.notify != r.notify ||
	    !orcpt_is_ascii(SLICE(buf, (size_t)n)) ||
	    (ascii && !slice_eq(again.orcpt, r.orcpt)))
		abort();
}

static void
check_xtext(struct slice text)
{
	char	plain[512], coded[2048];
	int	n, i;

	if (text.len >= sizeof(plain))
		return;
	n = xtext_decode(text, plain, sizeof(plain));
	if ((n != -1) != xtext_ok(text))
		abort();
	for (i = 0; i < n; i++)
		if (plain[i] < 32 || plain[i] > 126)
			abort();
	if ((n = xtext_encode(text, coded, sizeof(coded))) == -1)
		abort();
	for (i = 0; i < n; i++)
		if (coded[i] < 33 || coded[i] > 126)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	*p = malloc(size > 0 ? size : 1);

	if (p == NULL)
		return 0;
	memcpy(p, data, size);
	check_mail(SLICE(p, size));
	check_rcpt(SLICE(p, size));
	check_xtext(SLICE(p, size));
	free(p);
	return 0;
}
