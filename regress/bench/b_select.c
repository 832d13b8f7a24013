/* links: msad/queue/select.c msad/queue/status.c msad/queue/index*.c */
/* links: msad/queue/envelope.c */
/* links: msad/queue/blob.c */
/*
 * What selections cost in a long queue: of several kinds how many match, in how
 * many steps they are found, how long that takes in all and the longest step,
 * which is for how long the loop of msad-queue stands still. Likewise the
 * values of a key, of which the largest groups are wanted. Messages of one
 * recipient, 5,000 users in 100 tenants, a domain for each message; 100 of all
 * go to one domain. Replies are not read from a disk.
 *
 * usage: b_select [messages], default 200000
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "msad/queue/schedule.h"
#include "msad/queue/select.h"
#include "msad/queue/spool.h"

#define FIRST	(UINT64_C(1) << 30)	/* ids begin there */
#define NOW	1700100000
#define MATCHES	100

static uint64_t	total;

/* --- the rest of the queue, played --- */

bool
schedule_is_held(const struct message *m)
{
	return m->later;
}

const char *
schedule_why(const struct message *m, uint32_t i)
{
	(void)m;
	(void)i;
	return "";
}

enum spool_result
spool_state_read(struct spool *sp, uint64_t id, uint32_t key, void **buf,
    size_t *len)
{
	(void)sp;
	(void)id;
	(void)key;
	(void)buf;
	(void)len;
	return SPOOL_NOENT;
}

/* --- */

static double
ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void
add(uint64_t i)
{
	struct envelope	 e;
	struct slice	 rcpt;
	struct message	*m;
	char		 user[64], tenant[32], to[96];
	uint8_t		*p;
	size_t		 len;
	uint64_t	 spread = i * 2654435761U % total;

	memset(&e, 0, sizeof(e));
	snprintf(tenant, sizeof(tenant), "firm%" PRIu64 ".example", i % 100);
	snprintf(user, sizeof(user), "someone%" PRIu64 "@%s", i % 5000, tenant);
	if (spread < MATCHES)
		snprintf(to, sizeof(to), "someone@chosen.example");
	else
		snprintf(to, sizeof(to), "first.last@customer%" PRIu64
		    ".example", spread);
	e.arrival = 1700000000 + i / 100;
	e.user = e.sender = SLICE_STR(user);
	e.tenant = SLICE_STR(tenant);
	e.auth = SLICE_STR("passwd");
	e.mech = SLICE_STR("PLAIN");
	e.relay = SLICE_STR("smarthost");
	e.msgid = SLICE_STR("x");
	rcpt = SLICE_STR(to);
	if ((p = envelope_encode(&e, &rcpt, NULL, 1, &len)) == NULL ||
	    envelope_decode(p, len, &e) == -1 ||
	    (m = message_new(FIRST + i, spread < MATCHES ? 9000 : 2000, &e)) ==
	    NULL)
		errx(1, "message");
	free(p);
	m->later = spread < MATCHES;
	index_insert(m);
}

static bool
on_match(void *arg, struct message *m)
{
	(void)arg;
	(void)m;
	return true;
}

static void
measure(const char *text)
{
	struct selection	sel;
	uint64_t		after = 0, n = 0;
	uint32_t		steps = 0;
	double			from, t, last, longest = 0;
	size_t			first = strcspn(text, "\n");
	char			e[200];

	if (selection_parse(&sel, SLICE_STR(text), e, sizeof(e)) == -1)
		errx(1, "%s", e);
	from = last = ms();
	do {
		n += select_step(&sel, &after, UINT32_MAX, NOW, on_match,
		    NULL);
		t = ms();
		longest = t - last > longest ? t - last : longest;
		last = t;
		steps++;
	} while (after != 0);
	/* two terms at most */
	if (text[first] == '\0')
		first = 0;
	printf("%.*s%s%-*s %8" PRIu64 " %6u %9.2f %8.2f\n",
	    (int)first, text, first > 0 ? ", " : "",
	    44 - (int)first - (first > 0 ? 2 : 0),
	    first > 0 ? text + first + 1 : text, n, steps,
	    last - from, longest);
	selection_free(&sel);
}

static void
on_value(void *arg, const char *name, uint64_t n)
{
	(void)name;
	*(uint64_t *)arg += n;
}

static void
measure_values(enum index_key key, const char *name)
{
	uint64_t	n = 0;
	uint32_t	h = 0, steps = 0;
	double		from, t, last, longest = 0;

	from = last = ms();
	do {
		h = index_select_some(key, h, 10000, on_value, &n);
		t = ms();
		longest = t - last > longest ? t - last : longest;
		last = t;
		steps++;
	} while (h != 0);
	printf("values of %-34s %8" PRIu64 " %6u %9.2f %8.2f\n", name, n,
	    steps, last - from, longest);
}

int
main(int argc, char **argv)
{
	uint64_t	i;
	char		ids[100];

	total = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
	if (total < MATCHES)
		errx(1, "usage: b_select [messages]");
	for (i = 0; i < total; i++)
		add(i);
	printf("%-44s %8s %6s %9s %8s\n", "selection", "matches", "steps",
	    "ms", "longest");
	snprintf(ids, sizeof(ids), "id %" PRIx64, FIRST + total / 2);
	measure(ids);
	measure("domain chosen.example");
	measure("to someone@chosen.example");
	measure("tenant firm7.example\ndomain chosen.example");
	measure("user someone7@firm7.example");
	measure("from Someone7@firm7.example\nstate waiting");
	measure("from *7@firm7.example");
	measure("domain chosen.*");
	measure("state held");
	measure("size 5k");
	measure("tenant firm7.example");
	measure("relay smarthost\nage <1h");
	measure("all");
	measure_values(INDEX_DOMAIN, "domain");
	measure_values(INDEX_SENDER, "from");
	measure_values(INDEX_TENANT, "tenant");
	return 0;
}
