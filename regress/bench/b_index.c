/* links: msad/queue/index*.c msad/queue/envelope.c msad/queue/schedule*.c */
/* links: msad/queue/blob.c */
/* links: msad/queue/fair.c */
/* links: msad/queue/spool_places.c */
/*
 * How what the queue keeps in memory grows with its recipients: index,
 * schedule, and the spool's places. Messages of one recipient, 5,000 users in
 * 100 tenants, 50,000 domains; 100 of all messages go to one domain, which is
 * selected. Prints, at each power of ten and its double and quintuple, octets a
 * recipient, what the steps of the queue cost, and the longest step so far of
 * each part (of the processor's time: what others do does not count).
 *
 * usage: b_index [-t] [recipients], default 200000
 * -t: all have been tried once, which is two states in the spool.
 */
#include <sys/wait.h>

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/conf.h"
#include "config.h"
#include "msad/queue/index.h"
#include "msad/queue/record.h"
#include "msad/queue/registers.h"
#include "msad/queue/schedule.h"
#include "msad/queue/spool_places.h"

#define FIRST	(UINT64_C(1) << 30)	/* ids begin there */
#define MATCHES	100

static struct places	 places;
static struct segment	*segment;
static uint64_t		 before, total, matched;
static int		 tried;
static double		 longest[3];	/* places, index, schedule */

static double
now(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* This process's time, in microseconds. */
static double
processor(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* Part i's step ended; it began then. Returns the time now. */
static double
step(unsigned int i, double began)
{
	double	t = processor();

	if (t - began > longest[i])
		longest[i] = t - began;
	return t;
}

static uint64_t
memory(void)
{
	unsigned long	 size = 0, pages = 0, shared = 0;
	FILE		*f;

	if ((f = fopen("/proc/self/statm", "r")) == NULL)
		return 0;
	if (fscanf(f, "%lu %lu %lu", &size, &pages, &shared) != 3)
		pages = shared = 0;
	fclose(f);
	return (uint64_t)(pages - shared) * 4096;
}

/* Message i's envelope; those of one selection are spread over all. */
static uint8_t *
envelope(uint64_t i, size_t *len)
{
	struct envelope	 e;
	struct slice	 rcpt;
	char		 user[64], tenant[32], to[96], msgid[80];
	uint8_t		*p;
	int		 chosen = i % (total / MATCHES) == 7;

	memset(&e, 0, sizeof(e));
	snprintf(tenant, sizeof(tenant), "firm%" PRIu64 ".example", i % 100);
	snprintf(user, sizeof(user), "someone%" PRIu64 "@%s", i % 5000, tenant);
	snprintf(to, sizeof(to), "first.last%" PRIu64 "@customer%u.example", i,
	    (unsigned int)(i * 2654435761U % 50000));
	if (chosen)
		strlcpy(to, "someone@chosen.example", sizeof(to));
	snprintf(msgid, sizeof(msgid), "%016" PRIx64 "@mail.example", i);
	e.arrival = 1700000000 + i / 100;
	e.user = e.sender = SLICE_STR(user);
	e.tenant = SLICE_STR(tenant);
	e.auth = SLICE_STR("passwd");
	e.mech = SLICE_STR("PLAIN");
	e.relay = SLICE_STR("smarthost");
	e.msgid = SLICE_STR(msgid);
	rcpt = SLICE_STR(to);
	if ((p = envelope_encode(&e, &rcpt, NULL, 1, len)) == NULL)
		errx(1, "envelope");
	return p;
}

/* As recovery does it: place, message, schedule; 7,000 in a segment. */
static void
add(uint64_t i)
{
	struct envelope	 e;
	struct message	*m;
	uint8_t		*p;
	size_t		 len;
	double		 t;

	if (i % 7000 == 0) {
		if (segment != NULL)
			places_settle(segment);
		if ((segment = calloc(1, sizeof(*segment))) == NULL)
			err(1, NULL);
	}
	p = envelope(i, &len);
	t = processor();
	if (places_put_message(&places, FIRST + i, 0, segment,
	    (uint32_t)(i % 7000) * 2048, 2048) == -1 || (tried &&
	    (places_put_state(&places, FIRST + i, 0, segment, 0, 96, 0) == -1 ||
	    places_put_state(&places, FIRST + i, KEY_HISTORY, segment, 0, 160,
	    0) == -1)))
		errx(1, "out of memory");
	t = step(0, t);
	if (envelope_decode(p, len, &e) == -1 ||
	    (m = message_new(FIRST + i, 2000, &e)) == NULL)
		errx(1, "out of memory");
	free(p);
	m->rcpts[0].next = (uint32_t)e.arrival;
	index_insert(m);
	t = step(1, t);
	if (schedule_add(m) == -1)
		errx(1, "out of memory");
	step(2, t);
}

/* Microseconds of selecting the chosen domain, message by message. */
static double
select_chosen(void)
{
	struct message	*m;
	double		 from = now();
	uint64_t	 id = 0;

	matched = 0;
	while ((m = index_select_after(INDEX_DOMAIN,
	    SLICE_STR("chosen.example"), id)) != NULL) {
		id = m->id;
		matched++;
	}
	return (now() - from) * 1e6;
}

static void
count_due(void *arg, struct message *m)
{
	(void)m;
	++*(uint64_t *)arg;
}

/* Nanoseconds of taking a message out and putting it back, anywhere. */
static double
replace(uint64_t n)
{
	struct message	*m;
	double		 from = now();
	uint64_t	 i, at = 12345;

	for (i = 0; i < 10000; i++) {
		at = (at * 6364136223846793005U + 1442695040888963407U);
		if ((m = index_find(FIRST + (at >> 16) % n)) == NULL)
			errx(1, "a message is missing");
		schedule_remove(m);
		index_remove(m);
		index_insert(m);
		if (schedule_add(m) == -1)
			errx(1, "out of memory");
	}
	return (now() - from) / 10000 * 1e9;
}

static void
print(uint64_t n, double ns)
{
	uint64_t	used = memory() - before, due = 0;
	double		select, find, from, out;

	select = select_chosen();
	from = now();
	schedule_select_due(1700000000 + 2, count_due, &due);
	find = (now() - from) * 1e6;
	out = replace(n);
	printf("%10" PRIu64 " %9.0f %9.0f %5" PRIu64 " %7.0f %5" PRIu64
	    " %7.0f %9.0f %9.0f %9.0f %9.0f\n", n, (double)used / (double)n,
	    ns, matched, select, due, find, out, longest[0], longest[1],
	    longest[2]);
	fflush(stdout);
}

static void
schedule_nothing(struct message *m, time_t t)
{
	(void)m;
	(void)t;
}

static int
send_nothing(struct dest *d, struct message *m, time_t t, bool probe)
{
	(void)d;
	(void)m;
	(void)t;
	(void)probe;
	return 0;
}

int
main(int argc, char **argv)
{
	uint64_t	i, mark = 10000, marks = 0, last = 0;
	double		from;
	int		ch;

	while ((ch = getopt(argc, argv, "t")) == 't')
		tried = 1;
	argc -= optind;
	argv += optind;
	total = argc > 0 ? strtoull(argv[0], NULL, 10) : 200000;
	if (ch != -1 || total < MATCHES || argc > 1)
		errx(2, "usage: b_index [-t] [recipients]");
	schedule_init(send_nothing, schedule_nothing);
	schedule_now();
	if (places_init(&places) == -1)
		errx(1, "out of memory");
	before = memory();
	printf("                                                        out "
	    "     longest step in us:\n"
	    "recipients    octets   ns each found   in us   due   in us and in,"
	    " ns    places     index  schedule\n");
	from = now();
	for (i = 0; i < total; i++) {
		add(i);
		if (i + 1 != mark && i + 1 != total)
			continue;
		print(i + 1, (now() - from) / (double)(i + 1 - last) * 1e9);
		last = i + 1;
		mark *= marks % 3 == 1 ? 5 : 2;
		mark /= marks++ % 3 == 1 ? 2 : 1;
		from = now();
	}
	return 0;
}
