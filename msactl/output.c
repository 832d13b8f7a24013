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
#include "msactl/output_queue.h"
#include "msactl/output_steer.h"

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

char *
output_time(char *buf, size_t size, long long when)
{
	time_t		 t = (time_t)when;
	struct tm	 tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(buf, size, "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		strlcpy(buf, "?", size);
	return buf;
}

char *
output_user(char *buf, size_t size, long long uid)
{
	struct passwd	*pw = getpwuid((uid_t)uid);

	if (pw != NULL)
		strlcpy(buf, pw->pw_name, size);
	else
		snprintf(buf, size, "%lld", uid);
	return buf;
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
	char	 name[64], user[32], up[32];

	process_name(p, name, sizeof(name));
	output_column(name, 14);
	printf("%7lld ", output_num(p, "pid"));
	output_column(output_user(user, sizeof(user), output_num(p, "uid")), 8);
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
	printf(", %s%s\n", json_is_true(json_object_get(o, "accepting")) ?
	    "accepting messages" : "not accepting messages",
	    json_is_true(json_object_get(o, "paused")) ? ": paused" : "");
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

/* --- show limits, user limits --- */

static void
print_limit(const json_t *o)
{
	long long	 period = output_num(o, "period");
	bool		 bytes;
	char		 used[32], max[32], rate[64], wait[32];

	/* of a user, or of a tenant as a whole */
	bytes = strstr(output_str(o, "limit"), "bytes") != NULL;
	if (bytes) {
		output_size(used, sizeof(used), output_num(o, "used"));
		output_size(max, sizeof(max), output_num(o, "max"));
	} else {
		snprintf(used, sizeof(used), "%lld", output_num(o, "used"));
		snprintf(max, sizeof(max), "%lld", output_num(o, "max"));
	}
	snprintf(rate, sizeof(rate), "%s/%s", max, period == 60 ? "minute" :
	    period == 3600 ? "hour" : "day");
	output_column(output_str(o, "limit"), 17);
	printf("%10s %14s %7s ", used, rate, output_num(o, "wait") == 0 ?
	    "now" : output_duration(wait, sizeof(wait), output_num(o, "wait")));
	output_text(stdout, output_str(o, "user"));
	if (*output_str(o, "label") != '\0') {
		putchar('/');
		output_text(stdout, output_str(o, "label"));
	}
	if (*output_str(o, "tenant") != '\0') {
		fputs(*output_str(o, "user") != '\0' ? " of " : "all of ",
		    stdout);
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
	if (cmd->action == ACTION_QUEUE_CAT || cmd->action ==
	    ACTION_QUEUE_AGE) {
		output_keep(o, cmd, use_json);
		return;
	}
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
	case ACTION_QUEUE_SHOW:
		output_queue(o, cmd);
		break;
	case ACTION_QUEUE_SUMMARY:
	case ACTION_QUEUE_LOG:
	case ACTION_RULE_LIST:
	case ACTION_PAUSES:
		output_steer(o, cmd);
		break;
	case ACTION_LIMITS:
	case ACTION_USER_LIMITS:
		if (!head)
			printf("%-17s %10s %14s %7s %s\n", "LIMIT", "USED",
			    "OF", "FREE IN", "USER");
		head = true;
		print_limit(o);
		break;
	default:
		output_login(o, cmd);
		break;
	}
}

/* What was done to messages, or would be. */
static const char *
steered(enum action action, bool count)
{
	static const char *const done[][2] = {
		[ACTION_QUEUE_HOLD] = { "message%s held",
		    "message%s would be held" },
		[ACTION_QUEUE_RELEASE] = { "message%s released",
		    "message%s would be released" },
		[ACTION_QUEUE_FLUSH] = { "message%s flushed",
		    "message%s would be flushed" },
		[ACTION_QUEUE_EXPIRE] = { "message%s expired",
		    "message%s would expire" },
		[ACTION_QUEUE_FAIL] = { "message%s failed",
		    "message%s would fail" },
		[ACTION_QUEUE_DROP] = { "message%s dropped",
		    "message%s would be dropped" },
		[ACTION_QUEUE_REROUTE] = { "message%s rerouted",
		    "message%s would be rerouted" }
	};

	return done[action][count];
}

/* What the number of an answer counts; NULL: it has none. */
static const char *
counted(enum action action, bool count)
{
	if (command_steers(action))
		return steered(action, count);
	switch (action) {
	case ACTION_RULE_REMOVE:
		return "rule%s removed";
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
	const char	*what = counted(cmd->action, cmd->count);
	long long	 n = output_num(end, "matched");
	json_t		*o;

	if (output_kept(cmd, use_json))
		return;
	if (what != NULL && use_json) {
		if ((o = json_pack("{sI}", "matched", (json_int_t)n)) == NULL)
			return;
		output_object(o);
		json_decref(o);
	} else if (what != NULL)
		print_count(n, what);
	else if (cmd->action == ACTION_RULE_ADD)
		output_number(end, use_json);
	else if (!use_json && *output_str(end, "text") != '\0') {
		output_text(stdout, output_str(end, "text"));
		putchar('\n');
	}
}
