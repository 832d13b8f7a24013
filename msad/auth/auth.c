/*
 * msad-auth: decides who a client is.
 *
 * It runs as _msada in an empty root, with channels to the front-ends, to the
 * PAM workers and to the queue, and no file. It reads what users send, so it
 * has no privilege; PAM, which needs some, is in msad-pam. Its grants are the
 * queue's only source of identity.
 *
 * channels.c reads messages, session.c keeps sessions, attempt.c is one
 * login, workers.c the pool before PAM, local.c the socket of local programs.
 */

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/conf.h"
#include "common/log.h"
#include "msad/auth/blocks.h"
#include "msad/auth/cache.h"
#include "msad/auth/channels.h"
#include "msad/auth/control.h"
#include "msad/auth/files.h"
#include "msad/auth/guard.h"
#include "msad/auth/hashers.h"
#include "msad/auth/local.h"
#include "msad/auth/workers.h"

#define TEXT_MAX	255	/* a name in a message */
#define FLUSH_MS	500

/* All that goes into messages must fit there. */
static int
auth_check(struct conf *conf, uint32_t generation, char *reason, size_t size)
{
	const struct conf_auth	*block;

	TAILQ_FOREACH(block, &conf->auths, entry) {
		if (strlen(block->name) <= TEXT_MAX &&
		    (block->pam_service == NULL ||
		    strlen(block->pam_service) <= TEXT_MAX) &&
		    (block->realm == NULL ||
		    strlen(block->realm) <= TEXT_MAX))
			continue;
		snprintf(reason, size, "auth \"%.40s\": name, service or "
		    "realm is longer than %d octets", block->name, TEXT_MAX);
		return -1;
	}
	return files_check(conf, generation, reason, size);
}

static void
auth_commit(struct conf *conf, uint32_t generation)
{
	files_commit(generation);
	/* what was right by the old one need not be by this one */
	cache_flush(NULL);
	guard_configure(conf);
	control_configure(conf);
	/* msad sends the socket anew where there is one */
	local_unlisten();
	if (blocks_load(conf) == -1 || workers_configure(conf) == -1 ||
	    local_hostname(conf->hostname) == -1)
		fatal("event=auth error=\"out of memory\"");
}

static int
auth_early(void)
{
	/* jansson would look for a random device, which is not here. */
	json_object_seed(arc4random() | 1);
	if (hashers_early() == -1) {
		log_err("event=hasher-start error=%s", log_q(strerror(errno)));
		return -1;
	}
	/* behind the hashers' birth: they have no part in it */
	if (cache_init() == -1 || guard_init() == -1) {
		log_err("event=start error=%s", log_q(strerror(errno)));
		return -1;
	}
	return 0;
}

static int
auth_init(void)
{
	hashers_init(child_base());
	local_init(child_parent(), child_base(), child_epoch());
	control_init(child_base());
	return 0;
}

static void
auth_listener(uint32_t generation, uint16_t index, int fd)
{
	(void)generation;
	if (index == IPC_LISTENER_LOCAL)
		local_listen(fd);
	else
		close(fd);
}

static int
auth_channel(enum ipc_role peer, uint32_t index, uint64_t epoch,
    struct slice name, int fd)
{
	(void)name;
	switch (peer) {
	case ROLE_FRONTEND:
		return channels_frontend(index, epoch, fd);
	case ROLE_QUEUE:
		return channels_queue(index, epoch, fd);
	case ROLE_CONTROL:
		return control_channel(index, epoch, fd);
	case ROLE_PAM:
		return workers_add(index, epoch, fd);
	default:
		close(fd);
		return -1;
	}
}

static void
auth_start(void)
{
	workers_start(child_parent(), child_base());
	local_start();
}

/* Logins under way get 454; the front-ends have told their clients already. */
static void
auth_shutdown(unsigned int seconds)
{
	(void)seconds;
	local_stop();
	control_stop();
	workers_stop();
	hashers_stop();
	channels_flush(FLUSH_MS);
	child_exit(0);
}

static const struct child auth_child = {
	.role = ROLE_AUTH,
	.name = "auth",
	.early = auth_early,
	.init = auth_init,
	.conf_file = files_take,
	.conf_check = auth_check,
	.conf_commit = auth_commit,
	.conf_abort = files_abort,
	.listener = auth_listener,
	.channel = auth_channel,
	.start = auth_start,
	.shutdown = auth_shutdown,
	.handlers = local_handlers
};

int
main(int argc, char **argv)
{
	return child_main(&auth_child, argc, argv);
}
