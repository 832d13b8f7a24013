/*
 * What msactl prints about the queue as a whole: sums, ages, rules, pauses; and
 * of one message its history and its octets. Runs in msactl, called by
 * output.c, which says what may reach a terminal.
 */
#include <sys/types.h>

#include <err.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base64.h"
#include "common/ipc_types.h"
#include "msactl/output.h"
#include "msactl/output_steer.h"

static bool
is_true(const json_t *o, const char *name)
{
	return json_is_true(json_object_get(o, name));
}

/* --- queue summary --- */

static void
print_total(const json_t *o)
{
	char	 size[32], age[32];

	printf("%lld messages, %lld recipients, %s; %lld in flight, "
	    "%lld held, %lld future\n", output_num(o, "messages"),
	    output_num(o, "recipients"), output_size(size, sizeof(size),
	    output_num(o, "octets")), output_num(o, "inflight"),
	    output_num(o, "held"), output_num(o, "future"));
	if (output_num(o, "oldest") != 0)
		printf("the oldest came %s ago; ", output_duration(age,
		    sizeof(age), time(NULL) - output_num(o, "oldest")));
	printf("%s messages\n", is_true(o, "paused") ?
	    "paused: not accepting" : "accepting");
}

/* ": paused, down, next 12m: connection refused" */
static void
print_condition(const json_t *o)
{
	long long	 left = output_num(o, "next") - time(NULL);
	const char	*before = ": ";
	char		 next[32];

	if (is_true(o, "unknown")) {
		printf("%snot in the configuration", before);
		before = ", ";
	}
	if (is_true(o, "paused")) {
		printf("%spaused", before);
		before = ", ";
	}
	if (!is_true(o, "down"))
		return;
	printf("%sdown, next %s", before, left <= 0 ? "now" :
	    output_duration(next, sizeof(next), left));
	if (*output_str(o, "last") == '\0')
		return;
	fputs(": ", stdout);
	output_text(stdout, output_str(o, "last"));
}

static void
print_group(const json_t *o)
{
	static bool	 head;
	bool		 relay = strcmp(output_str(o, "by"), "relay") == 0;

	if (!head)
		printf("%8s %s%s\n", "MESSAGES", relay ? "INFLIGHT " : "",
		    relay ? "RELAY" : "NAME");
	head = true;
	printf("%8lld ", output_num(o, "messages"));
	if (relay)
		printf("%8lld ", output_num(o, "inflight"));
	if (strcmp(output_str(o, "by"), "from") == 0) {
		putchar('<');
		output_text(stdout, output_str(o, "name"));
		putchar('>');
	} else
		output_text(stdout, *output_str(o, "name") != '\0' ?
		    output_str(o, "name") : "-");
	if (relay)
		print_condition(o);
	putchar('\n');
}

/* --- queue log --- */

static void
print_event(const json_t *o)
{
	char	 when[64];

	printf("%s ", output_time(when, sizeof(when), output_num(o, "time")));
	output_column(output_str(o, "event"), 10);
	output_text(stdout, output_str(o, "text"));
	putchar('\n');
}

/* --- queue rule list, show pauses --- */

static void
print_left(const json_t *o)
{
	char	 left[32];

	printf("%8s ", output_num(o, "seconds") == 0 ? "-" :
	    output_duration(left, sizeof(left), output_num(o, "seconds")));
}

static void
print_rule(const json_t *o)
{
	static bool	 head;
	const json_t	*term;
	char		 user[64];
	size_t		 i;

	if (!head)
		printf("%6s %-6s %8s %8s %-8s %s\n", "NUMBER", "ACTION",
		    "LEFT", "MESSAGES", "BY", "SELECTION");
	head = true;
	printf("%6lld ", output_num(o, "number"));
	output_column(output_str(o, "action"), 6);
	print_left(o);
	printf("%8lld ", output_num(o, "messages"));
	output_column(output_user(user, sizeof(user), output_num(o, "uid")),
	    8);
	json_array_foreach(json_object_get(o, "select"), i, term) {
		if (i > 0)
			putchar(' ');
		output_text(stdout, json_is_string(term) ?
		    json_string_value(term) : "");
	}
	if (*output_str(o, "reason") != '\0') {
		fputs(", reason: ", stdout);
		output_text(stdout, output_str(o, "reason"));
	}
	putchar('\n');
}

static void
print_pause(const json_t *o)
{
	static bool	 head;
	char		 user[64], when[64];

	if (!head)
		printf("%-8s %8s %-8s %-25s %s\n", "PAUSED", "LEFT", "BY",
		    "SINCE", "NAME");
	head = true;
	output_column(output_str(o, "what"), 8);
	print_left(o);
	output_column(output_user(user, sizeof(user), output_num(o, "uid")),
	    8);
	output_column(output_time(when, sizeof(when), output_num(o, "since")),
	    25);
	output_text(stdout, *output_str(o, "name") != '\0' ?
	    output_str(o, "name") : "all");
	putchar('\n');
}

void
output_number(const json_t *end, bool json)
{
	json_t	*o;

	if (!json) {
		printf("rule %lld added\n", output_num(end, "number"));
		return;
	}
	o = json_pack("{sI}", "number", (json_int_t)output_num(end, "number"));
	if (o != NULL)
		output_object(o);
	json_decref(o);
}

void
output_steer(const json_t *o, const struct command *cmd)
{
	switch (cmd->action) {
	case ACTION_QUEUE_SUMMARY:
		if (json_object_get(o, "by") == NULL)
			print_total(o);
		else
			print_group(o);
		break;
	case ACTION_QUEUE_LOG:
		print_event(o);
		break;
	case ACTION_RULE_LIST:
		print_rule(o);
		break;
	default:
		print_pause(o);
		break;
	}
}

/* --- queue age --- */

static json_t	*ages;		/* object: arrays of AGE_BUCKETS by relay */

static json_int_t
age_at(const json_t *list, size_t i)
{
	return json_integer_value(json_array_get(list, i));
}

/* With many ids a relay may come more than once. */
static void
ages_add(const json_t *line)
{
	const char	*relay = output_str(line, "relay");
	const json_t	*list = json_object_get(line, "ages");
	json_t		*sums;
	size_t		 i;

	if (ages == NULL)
		ages = json_object();
	if ((sums = json_object_get(ages, relay)) == NULL) {
		sums = json_array();
		for (i = 0; i < AGE_BUCKETS; i++)
			json_array_append_new(sums, json_integer(0));
		json_object_set_new_nocheck(ages, relay, sums);
	}
	for (i = 0; i < AGE_BUCKETS; i++)
		json_array_set_new(sums, i, json_integer(age_at(sums, i) +
		    age_at(list, i)));
}

static json_int_t
ages_total(const json_t *list)
{
	json_int_t	 n = 0;
	size_t		 i;

	for (i = 0; i < AGE_BUCKETS; i++)
		n += age_at(list, i);
	return n;
}

static void
print_ages(const char *relay, const json_t *list, int width)
{
	size_t	 i;

	output_column(relay, width);
	printf("%7lld", (long long)ages_total(list));
	for (i = 0; i < AGE_BUCKETS; i++)
		printf(" %6lld", (long long)age_at(list, i));
	putchar('\n');
}

struct row {
	const char	*relay;
	const json_t	*list;
};

/* Most messages first. */
static int
by_total(const void *a, const void *b)
{
	const struct row	*x = a, *y = b;
	json_int_t		 m = ages_total(x->list);
	json_int_t		 n = ages_total(y->list);

	return m != n ? (m < n ? 1 : -1) : strcmp(x->relay, y->relay);
}

/* The relays in order, and all of them together; malloc'd. */
static struct row *
ages_sort(json_t *all)
{
	struct row	*rows;
	const char	*relay;
	json_t		*list;
	size_t		 i, n = 0;

	rows = calloc(json_object_size(ages) + 1, sizeof(*rows));
	if (rows == NULL)
		errx(1, "out of memory");
	for (i = 0; i < AGE_BUCKETS; i++)
		json_array_append_new(all, json_integer(0));
	json_object_foreach(ages, relay, list) {
		rows[n].relay = relay;
		rows[n++].list = list;
		for (i = 0; i < AGE_BUCKETS; i++)
			json_array_set_new(all, i, json_integer(
			    age_at(all, i) + age_at(list, i)));
	}
	qsort(rows, n, sizeof(*rows), by_total);
	return rows;
}

static void
ages_end(bool json)
{
	struct row	*rows;
	json_t		*all = json_array(), *o;
	size_t		 i, n;
	int		 width = 5;

	if (ages == NULL)
		ages = json_object();
	rows = ages_sort(all);
	n = json_object_size(ages);
	for (i = 0; i < n; i++)
		if (strlen(rows[i].relay) > (size_t)width &&
		    strlen(rows[i].relay) < 30)
			width = (int)strlen(rows[i].relay);
	if (!json) {
		printf("%-*s %7s %6s %6s %6s %6s %6s %6s %6s %6s %6s %6s\n",
		    width, "", "T", "5", "10", "20", "40", "80", "160", "320",
		    "640", "1280", "1280+");
		print_ages("TOTAL", all, width);
	}
	for (i = 0; i < n; i++) {
		if (!json) {
			print_ages(rows[i].relay, rows[i].list, width);
			continue;
		}
		o = json_pack("{sssIsO}", "relay", rows[i].relay, "messages",
		    ages_total(rows[i].list), "ages", rows[i].list);
		output_object(o);
		json_decref(o);
	}
	free(rows);
	json_decref(all);
	json_decref(ages);
	ages = NULL;
}

/* --- queue cat --- */

static char	*kept;		/* octets, for JSON */
static size_t	 nkept;

/* On a terminal line ends alone are more than text. */
static void
print_octets(const char *p, size_t n)
{
	char	 one[2] = "";
	size_t	 i;

	if (!isatty(STDOUT_FILENO)) {
		fwrite(p, 1, n, stdout);
		return;
	}
	for (i = 0; i < n; i++) {
		one[0] = p[i];
		if (p[i] == '\n')
			putchar('\n');
		else if (p[i] == '\0')
			fputs("\\x00", stdout);
		else if (p[i] != '\r')
			output_text(stdout, one);
	}
}

static void
cat_take(const json_t *o, bool json)
{
	const char	*s = output_str(o, "octets");
	size_t		 size = strlen(s) / 4 * 3 + 3;
	char		*buf;
	int		 n;

	if ((buf = malloc(size)) == NULL)
		errx(1, "out of memory");
	n = base64_decode(SLICE_STR(s), (uint8_t *)buf, size);
	if (n == -1)
		errx(1, "the answer is not understood");
	if (!json)
		print_octets(buf, (size_t)n);
	else {
		kept = realloc(kept, nkept + (size_t)n + 1);
		if (kept == NULL)
			errx(1, "out of memory");
		memcpy(kept + nkept, buf, (size_t)n);
		nkept += (size_t)n;
	}
	free(buf);
}

static void
cat_end(const struct command *cmd)
{
	size_t	 size = (nkept + 2) / 3 * 4 + 1;
	char	*text = malloc(size);
	json_t	*o;

	if (text == NULL ||
	    base64_encode(nkept > 0 ? kept : "", nkept, text, size) == -1)
		errx(1, "out of memory");
	o = json_pack("{sssIss}", "id", cmd->id, "size", (json_int_t)nkept,
	    "message", text);
	output_object(o);
	json_decref(o);
	free(text);
	free(kept);
	kept = NULL;
	nkept = 0;
}

/* --- both --- */

void
output_keep(const json_t *o, const struct command *cmd, bool json)
{
	if (cmd->action == ACTION_QUEUE_AGE)
		ages_add(o);
	else
		cat_take(o, json);
}

bool
output_kept(const struct command *cmd, bool json)
{
	if (cmd->action == ACTION_QUEUE_AGE)
		ages_end(json);
	else if (cmd->action == ACTION_QUEUE_CAT && json)
		cat_end(cmd);
	return cmd->action == ACTION_QUEUE_AGE ||
	    cmd->action == ACTION_QUEUE_CAT;
}
