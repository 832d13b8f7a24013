/*
 * Reload, by SIGHUP or by control. The new configuration is read and all that
 * it names is opened beside the old; every process gets it, checks it, and
 * says READY or REFUSED; only when all are ready it is committed, to queue,
 * keys and auth before the front-ends. Anything wrong before that: everybody
 * forgets it, the old goes on, and the reason is logged and answered.
 *
 * Workers of PAM are not waited for, as one may be within a conversation; they
 * have no use for the text anyway.
 */

#include <sys/types.h>

#include <event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/log.h"
#include "msad/parent/files.h"
#include "msad/parent/parent.h"
#include "msad/parent/process.h"
#include "msad/parent/supervise.h"

#define ANSWER_SECONDS	30
#define FLUSH_MS	200

static enum {
	IDLE,
	SETTLING,		/* until processes that start have started */
	CHECKING		/* until all that were asked have answered */
} state;

static struct generation	*next;
static struct event		 timer;
static uint64_t			 sid;
static uint32_t			 last_number;

bool
reload_running(void)
{
	return state != IDLE;
}

/* Either may be NULL. */
static bool
differ(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a != b;
	return strcmp(a, b) != 0;
}

/* What processes were built on cannot change under them. */
static const char *
unchangeable(const struct conf *now, const struct conf *new)
{
	if (differ(now->spool, new->spool))
		return "queue path";
	if (differ(now->socket, new->socket) ||
	    differ(now->socket_group, new->socket_group))
		return "control socket";
	if (supervise_workers(now->frontend_workers) !=
	    supervise_workers(new->frontend_workers))
		return "frontend workers";
	if (supervise_workers(now->relay_workers) !=
	    supervise_workers(new->relay_workers))
		return "relay workers";
	return NULL;
}

struct generation *
reload_load(const struct generation *old, FILE *errors)
{
	struct generation	*gen;
	struct conf		*conf;
	const char		*what;

	if (files_check_conf(options.conf_path, errors) == -1)
		return NULL;
	conf = conf_parse_file(options.conf_path, options.macros,
	    options.nmacros, errors);
	if (conf == NULL)
		return NULL;
	if (old != NULL && (what = unchangeable(old->conf, conf)) != NULL) {
		fprintf(errors, "%s: a change of \"%s\" needs a restart\n",
		    options.conf_path, what);
		conf_free(conf);
		return NULL;
	}
	if ((gen = generation_new(++last_number, conf)) == NULL) {
		fprintf(errors, "out of memory\n");
		return NULL;
	}
	if (files_open(gen, errors) == -1 ||
	    (old != NULL && files_roots(gen, errors) == -1) ||
	    (old != NULL && listeners_open(gen, old, errors) == -1)) {
		generation_free(gen, old);
		return NULL;
	}
	return gen;
}

static void
finish(bool ok, const char *text)
{
	state = IDLE;
	next = NULL;
	event_del(&timer);
	if (ok)
		log_notice("event=reloaded generation=%u",
		    parent_generation()->number);
	else
		log_err("event=reload-refused reason=%s", log_q(text));
	if (sid != RELOAD_SIGNAL)
		handlers_end(sid, ok, text);
	notify_send("READY=1");
}

static void
abandon(const char *reason)
{
	struct proc	*p;

	TAILQ_FOREACH(p, &procs, entry) {
		if (state == CHECKING && p->generation == next->number &&
		    p->ch != NULL && proc_writable(p)) {
			proc_send_abort(p, next->number);
			p->generation = parent_generation()->number;
		}
		p->asked = false;
	}
	generation_free(next, parent_generation());
	finish(false, reason);
}

static void
on_timer(int fd, short what, void *arg)
{
	struct proc	*p;
	char		 text[128];

	(void)fd;
	(void)what;
	(void)arg;
	snprintf(text, sizeof(text), "processes did not settle in time");
	TAILQ_FOREACH(p, &procs, entry)
		if (p->asked)
			snprintf(text, sizeof(text),
			    "%s did not answer in time", p->name);
	abandon(text);
}

void
reload_begin(uint64_t request)
{
	const struct timeval	 tv = { ANSWER_SECONDS, 0 };
	char			*text = NULL, note[80];
	size_t			 len = 0;
	FILE			*errors;

	if (state != IDLE || !supervise_up() || supervise_stopping()) {
		log_warn("event=reload-refused reason=\"not now\"");
		if (request != RELOAD_SIGNAL)
			handlers_end(request, false, state != IDLE ?
			    "a reload is running" :
			    "msad is starting or stopping");
		return;
	}
	snprintf(note, sizeof(note), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)parent_now() * 1000);
	notify_send(note);
	sid = request;
	event_assign(&timer, parent_base(), -1, 0, on_timer, NULL);
	if ((errors = open_memstream(&text, &len)) == NULL) {
		finish(false, "out of memory");
		return;
	}
	next = reload_load(parent_generation(), errors);
	fclose(errors);
	if (text != NULL && len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	if (next == NULL) {
		finish(false, text != NULL && *text != '\0' ? text :
		    "the configuration cannot be read");
		free(text);
		return;
	}
	free(text);
	state = SETTLING;
	event_add(&timer, &tv);
	reload_step();
}

/* Is this a process that a reload waits for? */
static bool
concerned(const struct proc *p)
{
	return p->role != ROLE_PAM && PROC_LINKED(p) && !p->retired &&
	    supervise_keeps(p, next);
}

static void
ask(void)
{
	struct proc	*p;

	state = CHECKING;
	TAILQ_FOREACH(p, &procs, entry) {
		if (!concerned(p) || !proc_writable(p))
			continue;
		p->generation = next->number;
		if (proc_send_prepare(p, next) == -1) {
			abandon("files cannot be opened again");
			return;
		}
		p->asked = true;
	}
}

static void
commit_role(enum ipc_role role, bool flush)
{
	struct proc	*p;

	TAILQ_FOREACH(p, &procs, entry) {
		if (p->role != role || p->ch == NULL ||
		    p->generation != next->number || p->state != PROC_RUNNING)
			continue;
		proc_send_commit(p, next->number);
		if ((role == ROLE_FRONTEND || role == ROLE_AUTH) &&
		    proc_send_listeners(p, next) == -1)
			proc_kill(p);	/* it gets them at its next start */
		if (flush)
			(void)ipc_flush(p->ch, FLUSH_MS);
	}
}

static void
commit_pam(void)
{
	struct proc	*p;

	TAILQ_FOREACH(p, &procs, entry)
		if (p->role == ROLE_PAM && p->state == PROC_RUNNING &&
		    p->ch != NULL && proc_writable(p) &&
		    proc_send_prepare(p, next) == 0) {
			p->generation = next->number;
			proc_send_commit(p, next->number);
		}
}

static void
take_level(const struct conf *old, const struct conf *new)
{
	struct proc	*p;

	if (old->log_level == new->log_level || options.verbose)
		return;
	log_set_level(new->log_level);
	TAILQ_FOREACH(p, &procs, entry)
		if (p->ch != NULL && proc_writable(p))
			proc_send_loglevel(p, new->log_level);
}

static void
commit(void)
{
	struct generation	*old = parent_generation();

	commit_role(ROLE_LOOKUP, false);
	commit_role(ROLE_QUEUE, true);
	commit_role(ROLE_KEYS, true);
	commit_role(ROLE_AUTH, true);
	commit_role(ROLE_RESOLVER, false);
	commit_role(ROLE_RELAY, false);
	commit_role(ROLE_CONTROL, false);
	commit_pam();
	commit_role(ROLE_FRONTEND, false);
	parent_set_generation(next);
	take_level(old->conf, next->conf);
	supervise_maildirs(next);
	generation_free(old, parent_generation());
	finish(true, "");
}

void
reload_step(void)
{
	const struct proc	*p;

	if (state == IDLE)
		return;
	if (supervise_stopping()) {
		abandon("msad is stopping");
		return;
	}
	TAILQ_FOREACH(p, &procs, entry) {
		if (p->asked)
			return;
		if (state == SETTLING && p->role != ROLE_PAM &&
		    (p->state == PROC_CHECKING || p->state == PROC_STARTING))
			return;
	}
	if (state == SETTLING)
		ask();
	else
		commit();
}

void
reload_ready(struct proc *p, uint32_t generation)
{
	/* an answer to a reload that was given up comes late: no matter */
	if (state != CHECKING || !p->asked || generation != next->number ||
	    p->state != PROC_RUNNING)
		return;
	p->asked = false;
	reload_step();
}

void
reload_refused(struct proc *p, uint32_t generation, struct slice why)
{
	char	 text[1024];

	if (state != CHECKING || !p->asked || generation != next->number)
		return;
	snprintf(text, sizeof(text), "%s: %.*s", p->name, SLICE_FMT(why));
	abandon(text);
}

void
reload_died(const struct proc *p, bool fault)
{
	char	 text[128];

	if (state != CHECKING || !p->asked || !fault)
		return;
	snprintf(text, sizeof(text), "%s died", p->name);
	abandon(text);
}

void
reload_forget(void)
{
	sid = RELOAD_SIGNAL;
}
