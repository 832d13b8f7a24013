/*
 * PAM modules that stay loaded (modules.h). Part of msad-pam.
 *
 * libpam loads the modules of a service when a conversation begins and unloads
 * them when it ends, which costs ten times as much as the account checks of a
 * user do. A handle of each service that is never used and never ended holds
 * them. What modules leak goes when the worker does, as ever; a module that was
 * replaced on disk is taken by the next worker, or after a reload.
 */

#include <sys/queue.h>
#include <sys/types.h>

#include <security/pam_appl.h>

#include <stdlib.h>
#include <string.h>

#include "msad/pam/modules.h"

struct kept {
	SLIST_ENTRY(kept)	 entry;
	char			*service;
	pam_handle_t		*pamh;
};

static SLIST_HEAD(, kept)	 all = SLIST_HEAD_INITIALIZER(all);

/* Nobody talks by a handle that is only kept. */
static int
no_talk(int n, const struct pam_message **msgs, struct pam_response **out,
    void *arg)
{
	(void)n;
	(void)msgs;
	(void)out;
	(void)arg;
	return PAM_CONV_ERR;
}

static void
kept_free(struct kept *k)
{
	if (k->pamh != NULL)
		pam_end(k->pamh, PAM_SUCCESS);
	free(k->service);
	free(k);
}

void
modules_keep(const char *service)
{
	static const struct pam_conv	 conv = { no_talk, NULL };
	struct kept			*k;

	SLIST_FOREACH(k, &all, entry)
		if (strcmp(k->service, service) == 0)
			return;
	if ((k = calloc(1, sizeof(*k))) == NULL)
		return;
	/* what fails here fails again for the user, who hears of it */
	if ((k->service = strdup(service)) == NULL ||
	    pam_start(service, NULL, &conv, &k->pamh) != PAM_SUCCESS) {
		k->pamh = NULL;
		kept_free(k);
		return;
	}
	SLIST_INSERT_HEAD(&all, k, entry);
}

void
modules_drop(void)
{
	struct kept	*k;

	while ((k = SLIST_FIRST(&all)) != NULL) {
		SLIST_REMOVE_HEAD(&all, entry);
		kept_free(k);
	}
}
