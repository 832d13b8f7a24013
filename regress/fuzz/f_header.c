/* links: msad/frontend/submission.c msad/frontend/rewrite.c */
/*
 * A header section: fields cover it without a gap; what is corrected is read
 * again as fields and is not corrected a second time.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/header.h"
#include "msad/frontend/submission.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* All of s is fields: how many, or -1. */
static int
fields(struct slice s)
{
	struct header		 h;
	struct header_field	 f;
	const char		*reason = NULL, *at = s.p;
	int			 n = 0, r;

	header_begin(&h, s);
	while ((r = header_next(&h, &f, &reason)) == 1) {
		if (f.all.p != at || f.all.len < 3 || f.name.len == 0 ||
		    f.name.p != at ||
		    f.body.p + f.body.len != f.all.p + f.all.len)
			abort();
		at += f.all.len;
		n++;
		(void)header_date_ok(f.body);
		(void)header_msgid_ok(f.body);
	}
	if (r == 0 && at != s.p + s.len)
		abort();
	if (r == -1 && reason == NULL)
		abort();
	return r == 0 ? n : -1;
}

static void
correct(char *p, size_t size)
{
	struct submission	sub, again;

	memset(&sub, 0, sizeof(sub));
	sub.section = p;
	sub.len = size;
	sub.host = "mail.example.org";
	sub.now = 1795317848;
	if (submission_correct(&sub) != REPLY_NONE) {
		if (sub.out != NULL)
			abort();
		return;
	}
	again = sub;
	again.section = sub.out;
	again.len = sub.out_len;
	/* Added folds may make a line too long: then it is refused. */
	if (fields(SLICE(sub.out, sub.out_len)) != -1 &&
	    submission_correct(&again) == REPLY_NONE) {
		if (again.out_len != sub.out_len ||
		    memcmp(again.out, sub.out, sub.out_len) != 0)
			abort();
		free(again.out);
	}
	free(sub.out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	*p = malloc(size > 0 ? size : 1);

	if (p == NULL)
		return 0;
	memcpy(p, data, size);
	fields(SLICE(p, size));
	correct(p, size);
	free(p);
	return 0;
}
