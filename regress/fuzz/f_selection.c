/*
 * Selections: what parses keeps its bounds and its own values match it; what
 * does not leaves a sentence and nothing else.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/selection.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* A term's own value, its * as they are, satisfies it. */
static void
check_term(const struct selection *sel, const struct selection_term *t)
{
	if ((sel->keys & 1U << t->key) == 0)
		abort();
	switch (t->key) {
	case SELECTION_ID:
		if (!selection_number(sel, t->key, t->number))
			abort();
		break;
	case SELECTION_STATE:
		if (!selection_states(sel, 1U << t->state))
			abort();
		break;
	case SELECTION_AGE:
	case SELECTION_SIZE:
		selection_number(sel, t->key, t->number);
		break;
	default:
		if (strlen(t->text) > SELECTION_VALUE_MAX ||
		    t->glob != (strchr(t->text, '*') != NULL) ||
		    !selection_text(sel, t->key, t->text) ||
		    !selection_glob(t->text, t->text, false))
			abort();
		selection_rcpt(sel, t->text);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct selection	sel;
	char			err[200] = "", *p = malloc(size + 1);
	size_t			i;

	if (p == NULL)
		return 0;
	memcpy(p, data, size);
	if (selection_parse(&sel, SLICE(p, size), err, sizeof(err)) == 0) {
		if (sel.all != (sel.nterms == 0) || err[0] != '\0' ||
		    sel.nterms > SELECTION_TERMS_MAX)
			abort();
		for (i = 0; i < sel.nterms; i++)
			check_term(&sel, &sel.terms[i]);
		selection_free(&sel);
	} else if (err[0] == '\0' || strchr(err, '\n') != NULL ||
	    sel.terms != NULL)
		abort();
	free(p);
	return 0;
}
