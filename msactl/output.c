/*
 * What msactl prints: text for people, aligned and short, or JSON.
 *
 * Runs in msactl. The answers hold text that remote servers and mail programs
 * chose; no octet of it reaches the terminal but as printable ASCII. Members
 * that are missing or of another type print as empty or 0.
 */
#include <sys/types.h>

#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "msactl/output.h"
#include "msactl/output_login.h"

static bool	 use_json;

void
output_json(bool on)
{
	use_json = on;
}

void
output_object(const json_t *o)
{
	json_dumpf(o, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
}

int
output_text(FILE *fp, const char *s)
{
	int	 columns = 0;

	for (; *s != '\0'; s++) {
		if (*s >= 0x20 && *s < 0x7f && *s != '\\') {
			putc(*s, fp);
			columns++;
		} else
			columns += fprintf(fp, "\\x%02x", (unsigned char)*s);
	}
	return columns;
}

void
output_error(const char *reason)
{
	fputs("msactl: ", stderr);
	output_text(stderr, reason);
	putc('\n', stderr);
}

char *
output_duration(char *buf, size_t size, long long s)
{
	if (s < 0)
		s = 0;
	if (s < 100)
		snprintf(buf, size, "%llds", s);
	else if (s < 100 * 60)
		snprintf(buf, size, "%lldm", s / 60);
	else if (s < 48 * 3600)
		snprintf(buf, size, "%lldh%lldm", s / 3600, s / 60 % 60);
	else
		snprintf(buf, size, "%lldd%lldh", s / 86400, s / 3600 % 24);
	return buf;
}

char *
output_size(char *buf, size_t size, long long n)
{
	static const char	 units[] = "kMGTPE";
	double			 v = (double)n;
	size_t			 i;

	if (n < 1000) {
		snprintf(buf, size, "%lld", n);
		return buf;
	}
	v /= 1024;
	for (i = 0; v >= 999.5 && units[i + 1] != '\0'; i++)
		v /= 1024;
	snprintf(buf, size, v < 9.95 ? "%.1f%c" : "%.0f%c", v, units[i]);
	return buf;
}

const char *
output_str(const json_t *o, const char *name)
{
	const char	*s = json_string_value(json_object_get(o, name));

	return s != NULL ? s : "";
}

long long
output_num(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

/* Text in a column of at least width, and a blank. */
void
output_column(const char *s, int width)
{
	int	 n = output_text(stdout, s);

	printf("%*s ", n < width ? width - n : 0, "");
}

/* --- show status --- */

/* Workers have a number, as in the log; the others are alone. */
static void
process_name(const json_t *p, char *buf, size_t size)
{
	static const char *const workers[] = { "frontend", "pam", "relay" };
	const char		*name = output_str(p, "name");
	size_t			 i;

	strlcpy(buf, name, size);
	for (i = 0; i < sizeof(workers) / sizeof(workers[0]); i++)
		if (strcmp(name, workers[i]) == 0)
			snprintf(buf, size, "%s[%lld]", name,
			    output_num(p, "index"));
}

static void
print_process(const json_t *p, time_t now)
{
	struct passwd	*pw = getpwuid((uid_t)output_num(p, "uid"));
	char		 name[64], user[32], up[32];

	process_name(p, name, sizeof(name));
	if (pw != NULL)
		strlcpy(user, pw->pw_name, sizeof(user));
	else
		snprintf(user, sizeof(user), "%lld", output_num(p, "uid"));
	output_column(name, 14);
	printf("%7lld ", output_num(p, "pid"));
	output_column(user, 8);
	printf("%8s %8lld\n", output_num(p, "pid") == 0 ? "-" :
	    output_duration(up, sizeof(up), now - output_num(p, "started")),
	    output_num(p, "restarts"));
}

static void
print_status(const json_t *o)
{
	const json_t	*value;
	time_t		 now = time(NULL);
	size_t		 i;

	fputs("msad ", stdout);
	output_text(stdout, output_str(o, "version"));
	printf(", %s\n", json_is_true(json_object_get(o, "accepting")) ?
	    "accepting messages" : "not accepting messages");
	printf("%-14s %7s %-8s %8s %8s\n", "PROCESS", "PID", "USER", "UPTIME",
	    "RESTARTS");
	json_array_foreach(json_object_get(o, "processes"), i, value)
		print_process(value, now);
}

/* --- show stats --- */

static void
print_stats(const json_t *o)
{
	const char	*name;
	json_t		*value;

	/* the macro casts const away; nothing is changed */
	json_object_foreach((json_t *)(uintptr_t)o, name, value) {
		output_column(name, 28);
		printf("%12lld\n", (long long)json_integer_value(value));
	}
}

/* --- queue list, queue show --- */

static void
print_list_head(void)
{
	printf("%-8s %6s %6s %-8s %6s %s\n", "ID", "AGE", "SIZE", "STATE",
	    "NEXT", "FROM -> TO");
}

static void
print_due(const json_t *o, int width, time_t now)
{
	char	 due[32];

	if (strcmp(output_str(o, "state"), "waiting") != 0 &&
	    strcmp(output_str(o, "state"), "held") != 0)
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
	if (strcmp(output_str(r, "state"), "waiting") == 0 ||
	    strcmp(output_str(r, "state"), "held") == 0) {
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
	time_t		 now = time(NULL), t = (time_t)output_num(o, "time");
	struct tm	 tm;
	size_t		 i;

	print_field("id", output_str(o, "id"));
	if (localtime_r(&t, &tm) == NULL ||
	    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		strlcpy(when, "?", sizeof(when));
	printf("time    %s (%s ago)\n", when, output_duration(age, sizeof(age),
	    now - t));
	printf("size    %lld\n", output_num(o, "size"));
	print_field("user", output_str(o, "user"));
	print_field("tenant", output_str(o, "tenant"));
	fputs("from    <", stdout);
	output_text(stdout, output_str(o, "from"));
	fputs(">\n", stdout);
	json_array_foreach(json_object_get(o, "rcpts"), i, value)
		print_rcpt(value, now);
}

/* --- show limits, user limits --- */

static void
print_limit(const json_t *o)
{
	long long	 period = output_num(o, "period");
	bool		 bytes = strcmp(output_str(o, "limit"), "bytes") == 0;
	char		 used[32], max[32], rate[64], wait[32];

	if (bytes) {
		output_size(used, sizeof(used), output_num(o, "used"));
		output_size(max, sizeof(max), output_num(o, "max"));
	} else {
		snprintf(used, sizeof(used), "%lld", output_num(o, "used"));
		snprintf(max, sizeof(max), "%lld", output_num(o, "max"));
	}
	snprintf(rate, sizeof(rate), "%s/%s", max, period == 60 ? "minute" :
	    period == 3600 ? "hour" : "day");
	output_column(output_str(o, "limit"), 10);
	printf("%10s %14s %7s ", used, rate, output_num(o, "wait") == 0 ?
	    "now" : output_duration(wait, sizeof(wait), output_num(o, "wait")));
	output_text(stdout, output_str(o, "user"));
	if (*output_str(o, "label") != '\0') {
		putchar('/');
		output_text(stdout, output_str(o, "label"));
	}
	if (*output_str(o, "tenant") != '\0') {
		fputs(" of ", stdout);
		output_text(stdout, output_str(o, "tenant"));
	}
	putchar('\n');
}

/* --- all --- */

void
output_line(const json_t *o, void *arg)
{
	const struct command	*cmd = arg;
	static bool		 head;

	output_result(o);
	if (use_json) {
		output_object(o);
		return;
	}
	switch (cmd->action) {
	case ACTION_STATUS:
		print_status(o);
		break;
	case ACTION_STATS:
		print_stats(o);
		break;
	case ACTION_QUEUE_LIST:
		if (!head)
			print_list_head();
		head = true;
		print_message(o);
		break;
	case ACTION_QUEUE_SHOW:
		print_detail(o);
		break;
	case ACTION_LIMITS:
	case ACTION_USER_LIMITS:
		if (!head)
			printf("%-10s %10s %14s %7s %s\n", "LIMIT", "USED",
			    "OF", "FREE IN", "USER");
		head = true;
		print_limit(o);
		break;
	default:
		output_login(o, cmd);
		break;
	}
}

/* What the number of an answer counts; NULL: it has none. */
static const char *
counted(enum action action)
{
	switch (action) {
	case ACTION_QUEUE_FLUSH:
		return "message%s flushed";
	case ACTION_QUEUE_REMOVE:
		return "message%s removed";
	case ACTION_QUEUE_RELEASE:
		return "message%s released";
	case ACTION_LIMITS_RESET:
		return "limit%s reset";
	case ACTION_UNBAN:
		return "ban%s taken back";
	case ACTION_AUTH_FLUSH:
		return "password%s forgotten";
	case ACTION_UNGRANT:
		return "grant%s taken back";
	default:
		return NULL;
	}
}

/* "3 messages flushed" of "message%s flushed". */
static void
print_count(long long n, const char *what)
{
	const char	*place = strstr(what, "%s");

	printf("%lld %.*s%s%s\n", n, (int)(place - what), what,
	    n == 1 ? "" : "s", place + 2);
}

void
output_end(const struct command *cmd, const json_t *end)
{
	const char	*what = counted(cmd->action);
	long long	 n = output_num(end, "matched");
	json_t		*o;

	if (what != NULL && use_json) {
		if ((o = json_pack("{sI}", "matched", (json_int_t)n)) == NULL)
			return;
		output_object(o);
		json_decref(o);
	} else if (what != NULL)
		print_count(n, what);
	else if (!use_json && *output_str(end, "text") != '\0') {
		output_text(stdout, output_str(end, "text"));
		putchar('\n');
	}
}
