#ifndef QUEUE_AUTHOR_H
#define QUEUE_AUTHOR_H

#include <stddef.h>

#include "common/conf.h"
#include "common/slice.h"
#include "common/verdict.h"

#include "rights.h"
#include "tables.h"

#define AUTHOR_TEXT_MAX		256
#define AUTHOR_FIELD_MAX	(998 + 2)	/* of a field written here */

/* Whose name a message carries, and what has to be done about it. */
struct author {
	char		 text[AUTHOR_TEXT_MAX];	/* for the reply */
	/* How the section becomes another, when change is set: */
	bool		 change;
	struct slice	 from;		/* field that `instead` replaces */
	struct slice	 drop;		/* a Sender that goes */
	char		 instead[AUTHOR_FIELD_MAX];	/* From; "": keep */
	char		 add[AUTHOR_FIELD_MAX];		/* Sender; "" */
};

/*
 * Compare From and Sender of a header section, or Resent-From and
 * Resent-Sender of its newest block, with what the login may use by this rule
 * (R6409-6.1-b). VERDICT_OK, maybe with changes to be made by
 * author_section(); else VERDICT_FROM_DENIED or VERDICT_MALFORMED with text, or
 * VERDICT_TROUBLE when a table that decides it could not be asked.
 * Slices point into section.
 */
enum verdict author_check(struct author *, struct slice section,
    const struct conf_match *, const struct tables *,
    const struct rights_login *);
/*
 * Give the section as it is to be, piece by piece, to put. With nothing to
 * change that is the section itself.
 */
void	 author_section(const struct author *, struct slice section,
    void (*put)(void *, const void *, size_t), void *);

#endif
