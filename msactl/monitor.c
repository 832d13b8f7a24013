/*
 * "msactl monitor": rates from two readings of the counters a second apart.
 *
 * Runs in msactl, called by main() with the session open. The counters may
 * jump or go back when a process is started again; a rate is never negative.
 */
#include <sys/types.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "msactl/monitor.h"
#include "msactl/output.h"
#include "msactl/session.h"

#define HEAD_EVERY	20	/* lines */

static const struct column {
	const char	*counter;
	const char	*json;
	const char	*head;
	bool		 gauge;		/* printed as it is, not as a rate */
} columns[] = {
	{ "smtp.sessions.active", "connections", "CONNS", true },
	{ "smtp.messages.accepted", "accepted", "ACCEPT/S", false },
	{ "relay.delivered", "delivered", "DELIV/S", false },
	{ "relay.deferred", "deferred", "DEFER/S", false },
	{ "relay.bounced", "bounced", "BOUNCE/S", false },
	{ "auth.ok", "auth_ok", "AUTH/S", false },
	{ "auth.failed", "auth_failed", "AUTHF/S", false },
	{ "queue.messages", "queue", "QUEUE", true }
};
#define NCOLUMNS	(sizeof(columns) / sizeof(columns[0]))

struct sample {
	struct timespec	 when;
	json_int_t	 value[NCOLUMNS];
};

static void
on_line(const json_t *o, void *arg)
{
	struct sample	*s = arg;
	size_t		 i;

	for (i = 0; i < NCOLUMNS; i++)
		s->value[i] = json_integer_value(json_object_get(o,
		    columns[i].counter));
}

static int
sample_take(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	clock_gettime(CLOCK_MONOTONIC, &s->when);
	return session_ask(json_pack("{ss}", "cmd", "show stats"), on_line, s,
	    NULL);
}

/* A rate in tenths a second, rounded. */
static double
rate(const struct sample *old, const struct sample *now, size_t i)
{
	double	 seconds, r;

	seconds = (double)(now->when.tv_sec - old->when.tv_sec) +
	    (double)(now->when.tv_nsec - old->when.tv_nsec) / 1e9;
	if (now->value[i] <= old->value[i] || seconds <= 0)
		return 0;
	r = ((double)now->value[i] - (double)old->value[i]) / seconds;
	return (double)(long long)(r * 10 + 0.5) / 10;
}

static void
print_json(const struct sample *old, const struct sample *now)
{
	json_t	*o;
	size_t	 i;

	if ((o = json_pack("{sI}", "time", (json_int_t)time(NULL))) == NULL)
		return;
	for (i = 0; i < NCOLUMNS; i++)
		json_object_set_new(o, columns[i].json, columns[i].gauge ?
		    json_integer(now->value[i]) :
		    json_real(rate(old, now, i)));
	output_object(o);
	json_decref(o);
}

static void
print_text(const struct sample *old, const struct sample *now)
{
	size_t	 i;

	for (i = 0; i < NCOLUMNS; i++) {
		if (columns[i].gauge)
			printf("%8lld ", (long long)now->value[i]);
		else
			printf("%8.1f ", rate(old, now, i));
	}
	putchar('\n');
}

static void
print_head(void)
{
	size_t	 i;

	for (i = 0; i < NCOLUMNS; i++)
		printf("%8s ", columns[i].head);
	putchar('\n');
}

/* Sleep until a second after the last sample was due. */
static void
next_second(struct timespec *due)
{
	struct timespec	 now;

	due->tv_sec++;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec > due->tv_sec + 1)
		*due = now;	/* we were stopped: do not catch up */
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL);
}

int
monitor(unsigned int count, bool json)
{
	struct sample	 old, now;
	struct timespec	 due;
	unsigned int	 n;
	int		 code;

	if ((code = sample_take(&old)) != EXIT_FINE)
		return code;
	due = old.when;
	for (n = 0; count == 0 || n < count; n++) {
		next_second(&due);
		if ((code = sample_take(&now)) != EXIT_FINE)
			return code;
		if (!json && n % HEAD_EVERY == 0)
			print_head();
		if (json)
			print_json(&old, &now);
		else
			print_text(&old, &now);
		if (fflush(stdout) == EOF)
			return EXIT_ERROR;
		old = now;
	}
	return EXIT_FINE;
}
