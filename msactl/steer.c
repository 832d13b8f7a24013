/*
 * Commands of msactl that select messages of the queue: one request, or one for
 * each batch of ids, whose numbers are added up.
 *
 * Runs in msactl, called by main() with a session that is open. Ids may come on
 * standard input. A change of many messages is counted first and asked for,
 * where a person sits at the terminal.
 */
#include <sys/types.h>

#include <err.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "msactl/output.h"
#include "msactl/session.h"
#include "msactl/steer.h"

/* A change of more messages than this is asked for. */
#define ASK_ABOVE	100

/* Why nothing was changed, as the queue says. */
static char	 why[256] = "no message matches";

json_t *
steer_select(const char *text)
{
	json_t	*list = json_array(), *term;
	size_t	 n;

	for (;;) {
		n = strcspn(text, "\n");
		if ((term = json_stringn(text, n)) == NULL)
			errx(EXIT_USAGE, "not UTF-8: %.*s", (int)n, text);
		json_array_append_new(list, term);
		if (text[n] == '\0')
			return list;
		text += n + 1;
	}
}

/* Ask for each batch; *matched is the number of messages so far. */
static int
run(struct command *cmd, json_t *(*request)(const struct command *),
    json_int_t *matched)
{
	json_t	*end, *what;
	char	*text;
	size_t	 pos = 0;
	int	 code = EXIT_NO_MATCH, one;

	*matched = 0;
	if (!picked_any(&cmd->picked))		/* all is listed */
		return session_ask(request(cmd), output_line, cmd, NULL);
	while ((text = picked_batch(&cmd->picked, &pos)) != NULL) {
		what = request(cmd);
		json_object_set_new(what, "select", steer_select(text));
		free(text);
		one = session_ask(what, output_line, cmd, &end);
		*matched += output_num(end, "matched");
		if (one == EXIT_NO_MATCH && *output_str(end, "error") != '\0')
			strlcpy(why, output_str(end, "error"), sizeof(why));
		json_decref(end);
		if (one != EXIT_FINE && one != EXIT_NO_MATCH)
			return one;
		if (one == EXIT_FINE)
			code = EXIT_FINE;
	}
	return code;
}

/* "1,234" */
static const char *
grouped(char *buf, size_t size, json_int_t n)
{
	char	 digits[32];
	size_t	 i, len, used = 0;

	len = (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)n);
	for (i = 0; i < len && used + 2 < size; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			buf[used++] = ',';
		buf[used++] = digits[i];
	}
	buf[used] = '\0';
	return buf;
}

/* Ask a person; anything but a word with y is no. */
static bool
confirm(enum action action, json_int_t n)
{
	static const char *const verbs[] = {
		[ACTION_QUEUE_HOLD] = "hold them",
		[ACTION_QUEUE_RELEASE] = "release them",
		[ACTION_QUEUE_FLUSH] = "flush them",
		[ACTION_QUEUE_EXPIRE] = "let them expire",
		[ACTION_QUEUE_FAIL] = "let them fail",
		[ACTION_QUEUE_DROP] = "drop them",
		[ACTION_QUEUE_REROUTE] = "reroute them"
	};
	char	 line[64], number[48];

	clearerr(stdin);	/* ids may have come from there */
	fprintf(stderr, "%s messages match; %s? [y/N] ",
	    grouped(number, sizeof(number), n), verbs[action]);
	if (fgets(line, sizeof(line), stdin) == NULL) {
		putc('\n', stderr);
		return false;
	}
	return line[0] == 'y' || line[0] == 'Y';
}

/* Count, and ask when there are many. */
static int
ask_first(struct command *cmd, const char *socket,
    json_t *(*request)(const struct command *))
{
	json_int_t	 n;
	int		 code;

	cmd->count = true;
	code = run(cmd, request, &n);
	cmd->count = false;
	if (code != EXIT_FINE || n <= ASK_ABOVE)
		return code;
	/* msad does not wait for who thinks */
	session_close();
	if (!confirm(cmd->action, n)) {
		warnx("nothing was changed");
		return EXIT_ERROR;
	}
	return session_open(socket);
}

/* Ids from standard input, if they are to come from there. */
static int
read_ids(struct command *cmd)
{
	char	 error[128];

	if (!cmd->picked.input)
		return EXIT_FINE;
	if (picked_read(&cmd->picked, stdin, error, sizeof(error)) == -1) {
		output_error(error);
		return EXIT_USAGE;
	}
	/* the other terms alone would be more than was asked for */
	return cmd->picked.nids > 0 ? EXIT_FINE : EXIT_NO_MATCH;
}

int
steer(struct command *cmd, const char *socket, bool yes,
    json_t *(*request)(const struct command *))
{
	json_int_t	 matched = 0;
	json_t		*end;
	int		 code;

	code = read_ids(cmd);
	picked_sort(&cmd->picked);
	if (code == EXIT_FINE && command_steers(cmd->action) && !yes &&
	    !cmd->count && isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
		code = ask_first(cmd, socket, request);
	if (code == EXIT_FINE)
		code = run(cmd, request, &matched);
	else if (code == EXIT_NO_MATCH && !command_steers(cmd->action))
		code = EXIT_FINE;	/* of no ids the list is empty */
	/* of a list that stopped half-way nothing is left to be said */
	if (code == EXIT_FINE || (command_steers(cmd->action) &&
	    (matched > 0 || (cmd->count && code == EXIT_NO_MATCH)))) {
		end = json_pack("{sI}", "matched", matched);
		output_end(cmd, end);
		json_decref(end);
	}
	if (code == EXIT_NO_MATCH)
		output_error(why);
	return code;
}
