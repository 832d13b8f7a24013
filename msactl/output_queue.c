/*
 * Messages of the queue as text: a list, and one with all that is known of it.
 * Runs in msactl, called by output.c, which says what may reach a terminal.
 */
#include <sys/types.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "msactl/output.h"
#include "msactl/output_queue.h"

static void
print_list_head(void)
{
	printf("%-8s %6s %6s %-8s %6s %s\n", "ID", "AGE", "SIZE", "STATE",
	    "NEXT", "FROM -> TO");
}

/* Does it wait for a time that says something? */
static bool
is_due(const json_t *o)
{
	const char	*state = output_str(o, "state");

	return strcmp(state, "waiting") == 0 || strcmp(state, "future") == 0 ||
	    (strcmp(state, "held") == 0 && output_num(o, "next") != 0);
}

static void
print_due(const json_t *o, int width, time_t now)
{
	char	 due[32];

	if (!is_due(o))
		strlcpy(due, "-", sizeof(due));
	else if (output_num(o, "next") <= now)
		strlcpy(due, "now", sizeof(due));
	else
		output_duration(due, sizeof(due), output_num(o, "next") - now);
	printf("%*s", width, due);
}

static void
print_message(const json_t *o)
{
	const json_t	*rcpts = json_object_get(o, "rcpts");
	char		 age[32], size[32];
	time_t		 now = time(NULL);

	output_column(output_str(o, "id"), 8);
	printf("%6s %6s ", output_duration(age, sizeof(age),
	    now - output_num(o, "time")), output_size(size, sizeof(size),
	    output_num(o, "size")));
	output_column(output_str(o, "state"), 8);
	print_due(o, 6, now);
	fputs(" <", stdout);
	output_text(stdout, output_str(o, "from"));
	fputs("> -> <", stdout);
	output_text(stdout, output_str(json_array_get(rcpts, 0), "to"));
	putchar('>');
	if (json_array_size(rcpts) > 1)
		printf(" and %zu more", json_array_size(rcpts) - 1);
	putchar('\n');
	if (*output_str(o, "last") != '\0') {
		printf("%8s ", "");
		output_text(stdout, output_str(o, "last"));
		putchar('\n');
	}
}

static void
print_field(const char *name, const char *value)
{
	if (*value == '\0')
		return;
	printf("%-8s", name);
	output_text(stdout, value);
	putchar('\n');
}

static void
print_rcpt(const json_t *r, time_t now)
{
	print_field("to", output_str(r, "to"));
	fputs("        ", stdout);
	output_text(stdout, output_str(r, "state"));
	printf(", %lld %s", output_num(r, "tries"),
	    output_num(r, "tries") == 1 ? "try" : "tries");
	if (is_due(r)) {
		fputs(", next ", stdout);
		print_due(r, 0, now);
	}
	if (*output_str(r, "relay") != '\0') {
		fputs(", relay ", stdout);
		output_text(stdout, output_str(r, "relay"));
	}
	putchar('\n');
	if (*output_str(r, "last") != '\0') {
		fputs("        ", stdout);
		output_text(stdout, output_str(r, "last"));
		putchar('\n');
	}
}

static void
print_detail(const json_t *o)
{
	const json_t	*value;
	char		 when[64], age[32];
	time_t		 now = time(NULL);
	long long	 by = output_num(o, "by");
	size_t		 i;

	print_field("id", output_str(o, "id"));
	printf("time    %s (%s ago)\n", output_time(when, sizeof(when),
	    output_num(o, "time")), output_duration(age, sizeof(age),
	    now - output_num(o, "time")));
	printf("size    %lld\n", output_num(o, "size"));
	print_field("user", output_str(o, "user"));
	print_field("tenant", output_str(o, "tenant"));
	fputs("from    <", stdout);
	output_text(stdout, output_str(o, "from"));
	fputs(">\n", stdout);
	if (output_num(o, "priority") != 0)
		printf("prio    %lld\n", output_num(o, "priority"));
	if (by != 0)
		printf("by      %s, %s\n", output_time(when, sizeof(when), by),
		    json_is_true(json_object_get(o, "return")) ?
		    "else returned" : "else the sender is told");
	json_array_foreach(json_object_get(o, "rcpts"), i, value)
		print_rcpt(value, now);
}

void
output_queue(const json_t *o, const struct command *cmd)
{
	static bool	 head;

	if (cmd->action == ACTION_QUEUE_SHOW) {
		print_detail(o);
		return;
	}
	if (!head)
		print_list_head();
	head = true;
	print_message(o);
}
