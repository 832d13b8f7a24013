/*
 * msactl: look into a running msad and steer it.
 *
 * A program of the caller's, never set-id: what it may do is what the control
 * socket and the daemon behind it let the caller do. It reads the command line
 * (parser.c), asks msad-control (session.c) and prints (output.c, monitor.c).
 */
#include <sys/types.h>

#include <err.h>
#include <jansson.h>
#include <readpassphrase.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ipc_types.h"
#include "config.h"
#include "msactl/monitor.h"
#include "msactl/output.h"
#include "msactl/output_login.h"
#include "msactl/parser.h"
#include "msactl/passwd.h"
#include "msactl/sendmail.h"
#include "msactl/session.h"
#include "msactl/spool.h"
#include "msactl/steer.h"

struct options {
	const char	*socket;
	bool		 json;
	bool		 stdin_password;
	bool		 count_only;
	bool		 yes;
	unsigned int	 count;		/* 0: none given */
};

static void	 usage(void) __attribute__((__noreturn__));

static void
usage(void)
{
	fprintf(stderr, "usage: msactl [-j] [-s socket] command "
	    "[argument ...]\n"
	    "       msactl [-jny] [-s socket] queue verb selection "
	    "[argument ...]\n"
	    "       msactl [-j] [-s socket] monitor [-c count]\n"
	    "       msactl [-jp] [-s socket] test auth user [block] "
	    "[from address]\n");
	exit(EXIT_USAGE);
}

static void
option(struct options *o, int ch)
{
	const char	*errstr;

	switch (ch) {
	case 'c':
		o->count = (unsigned int)strtonum(optarg, 1, 1000000000,
		    &errstr);
		if (errstr != NULL)
			errx(EXIT_USAGE, "count is %s: %s", errstr, optarg);
		break;
	case 'j':
		o->json = true;
		break;
	case 'n':
		o->count_only = true;
		break;
	case 'p':
		o->stdin_password = true;
		break;
	case 's':
		o->socket = optarg;
		break;
	case 'y':
		o->yes = true;
		break;
	default:
		usage();
	}
}

/* Options may stand before, between and after the words, but not after "--". */
static int
arguments(struct options *o, int argc, char **argv, char **words)
{
	bool	 more = true;
	int	 ch, n = 0;

	while (optind < argc) {
		if (more && (ch = getopt(argc, argv, "+c:jnps:y")) != -1) {
			option(o, ch);
			continue;
		}
		more = more && strcmp(argv[optind - 1], "--") != 0;
		if (optind >= argc)
			break;
		words[n++] = argv[optind++];
	}
	return n;
}

/*
 * The password that is to be tested; from standard input where that is no
 * terminal, or is asked for. In a buffer of its own, to be wiped.
 */
static void
read_password(const struct options *o, char *buf, size_t size)
{
	size_t	 n;

	if (!o->stdin_password && isatty(STDIN_FILENO)) {
		if (readpassphrase("Password: ", buf, size,
		    RPP_REQUIRE_TTY) == NULL)
			err(EXIT_ERROR, "password");
		return;
	}
	/* nothing of it shall stay in a buffer of stdio */
	for (n = 0; n < size; n++) {
		if (read(STDIN_FILENO, buf + n, 1) <= 0 || buf[n] == '\n')
			break;
	}
	if (n == size)
		errx(EXIT_ERROR, "the password is too long");
	if (n == 0)
		errx(EXIT_ERROR, "no password on standard input");
	buf[n] = '\0';
}

static void
put_password(json_t *request, const struct options *o)
{
	char	 buf[IPC_PASSWORD_MAX + 1];

	read_password(o, buf, sizeof(buf));
	if (json_object_set_new(request, "password", json_string(buf)) == -1)
		errx(EXIT_ERROR, "the password is not UTF-8");
	explicit_bzero(buf, sizeof(buf));
}

/* The request without a selection of messages. */
static json_t *
request(const struct command *cmd)
{
	unsigned int	 i;
	json_t		*o;

	o = json_pack("{ss}", "cmd", command_request(cmd->action));
	if (o == NULL)
		errx(EXIT_ERROR, "out of memory");
	if (cmd->all)
		json_object_set_new(o, "all", json_true());
	if (cmd->id[0] != '\0')
		json_object_set_new(o, "id", json_string(cmd->id));
	if (cmd->level != NULL)
		json_object_set_new(o, "level", json_string(cmd->level));
	if (cmd->seconds != 0)
		json_object_set_new(o, "seconds", json_integer(cmd->seconds));
	if (cmd->number != 0)
		json_object_set_new(o, "number", json_integer(cmd->number));
	if (cmd->count)
		json_object_set_new(o, "count", json_true());
	for (i = 0; i < TEXT_MAX; i++)
		if (cmd->text[i] != NULL &&
		    json_object_set_new(o, command_member(i),
		    json_string(cmd->text[i])) == -1)
			errx(EXIT_USAGE, "not UTF-8: %s", cmd->text[i]);
	return o;
}

/* A selection that is not of what is in the queue. */
static void
put_select(json_t *request, const struct command *cmd)
{
	size_t	 pos = 0;
	char	*text = picked_batch(&cmd->picked, &pos);

	json_object_set_new(request, "select", steer_select(text));
	free(text);
}

static int
ask(struct command *cmd, const struct options *o)
{
	json_t	*end, *what;
	int	 code;

	if (command_steers(cmd->action) || cmd->action == ACTION_QUEUE_LIST ||
	    cmd->action == ACTION_QUEUE_AGE)
		return steer(cmd, o->socket, o->yes, request);
	what = request(cmd);
	if (cmd->action == ACTION_TEST_AUTH)
		put_password(what, o);
	if (cmd->action == ACTION_RULE_ADD)
		put_select(what, cmd);
	code = session_ask(what, output_line, cmd, &end);
	if (code == EXIT_FINE)
		output_end(cmd, end);
	else if (code == EXIT_NO_MATCH)
		output_error(output_str(end, "error"));
	json_decref(end);
	/* a test that was refused is no success for a script */
	return code == EXIT_FINE && output_refused() ? EXIT_ERROR : code;
}

int
msactl_run(int nwords, char *const *words)
{
	const struct options	 none = { .socket = MSAD_SOCKET, .yes = true };
	struct command	 cmd;
	char		 error[512];
	int		 code;

	if (command_parse(&cmd, nwords, words, error, sizeof(error)) == -1)
		errx(EXIT_USAGE, "%s", error);
	if ((code = session_open(MSAD_SOCKET)) == EXIT_FINE)
		code = ask(&cmd, &none);
	command_free(&cmd);
	return code == EXIT_FINE && fflush(stdout) == EOF ? EXIT_ERROR : code;
}

/* Called by one of the names of sendmail(8)? */
static bool
is_sendmail(const char *path)
{
	const char	*name = strrchr(path, '/');

	name = name != NULL ? name + 1 : path;
	return strcmp(name, "sendmail") == 0 || strcmp(name, "mailq") == 0 ||
	    strcmp(name, "newaliases") == 0;
}

int
main(int argc, char **argv)
{
	struct options	 o = { .socket = MSAD_SOCKET };
	struct command	 cmd;
	char		 error[512], **words;
	int		 n, code;

	if (argc > 0 && is_sendmail(argv[0]))
		return sendmail_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], "sendmail") == 0)
		return sendmail_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "passwd") == 0)
		return passwd_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "spool") == 0)
		return spool_main(argc - 1, argv + 1);
	if ((words = calloc((size_t)argc + 1, sizeof(*words))) == NULL)
		err(EXIT_ERROR, NULL);
	n = arguments(&o, argc, argv, words);
	if (n == 0)
		usage();
	if (command_parse(&cmd, n, words, error, sizeof(error)) == -1)
		errx(EXIT_USAGE, "%s", error);
	if (o.count != 0 && cmd.action != ACTION_MONITOR)
		usage();
	if (o.stdin_password && cmd.action != ACTION_TEST_AUTH)
		usage();
	if ((o.count_only || o.yes) && !command_steers(cmd.action))
		usage();
	cmd.count = o.count_only;
	output_json(o.json);
	if ((code = session_open(o.socket)) == EXIT_FINE)
		code = cmd.action == ACTION_MONITOR ?
		    monitor(o.count, o.json) : ask(&cmd, &o);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		warn("standard output");
		if (code == EXIT_FINE)
			code = EXIT_ERROR;
	}
	command_free(&cmd);
	free(words);
	return code;
}
