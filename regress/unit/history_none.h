/*
 * The history of messages, for tests that do not look at it.
 */
#ifndef HISTORY_NONE_H
#define HISTORY_NONE_H

#include "msad/queue/history.h"

void
history_attempt(const struct message *m, time_t now,
    const struct history_attempt *a)
{
	(void)m;
	(void)now;
	(void)a;
}

void
history_add(struct message *m, time_t now, const char *event,
    const char *fmt, ...)
{
	(void)m;
	(void)now;
	(void)event;
	(void)fmt;
}

void
history_settle(uint64_t id)
{
	(void)id;
}

void
history_keep(uint64_t id)
{
	(void)id;
}

void
history_end(struct message *m, time_t now, const char *event)
{
	(void)m;
	(void)now;
	(void)event;
}

void
history_forget(uint64_t id)
{
	(void)id;
}

#endif
