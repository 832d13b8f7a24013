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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "msactl/monitor.h"
#include "msactl/output.h"
#include "msactl/parser.h"
#include "msactl/sendmail.h"
#include "msactl/session.h"

#define WORDS_MAX	8

struct options {
	const char	*socket;
	bool		 json;
	unsigned int	 count;		/* 0: none given */
};

static void	 usage(void) __attribute__((__noreturn__));

static void
usage(void)
{
	fprintf(stderr, "usage: msactl [-j] [-s socket] command "
	    "[argument ...]\n"
	    "       msactl [-j] [-s socket] monitor [-c count]\n");
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
	case 's':
		o->socket = optarg;
		break;
	default:
		usage();
	}
}

/* Options may stand before, between and after the words. */
static int
arguments(struct options *o, int argc, char **argv, char **words)
{
	int	 ch, n = 0;

	while (optind < argc) {
		if ((ch = getopt(argc, argv, "+c:js:")) != -1) {
			option(o, ch);
			continue;
		}
		if (optind >= argc)
			break;
		if (n == WORDS_MAX)
			usage();
		words[n++] = argv[optind++];
	}
	return n;
}

static json_t *
request(const struct command *cmd)
{
	json_t	*o;

	o = json_pack("{ss}", "cmd", command_request(cmd->action));
	if (o == NULL)
		return NULL;
	if (cmd->all)
		json_object_set_new(o, "all", json_true());
	if (cmd->id[0] != '\0')
		json_object_set_new(o, "id", json_string(cmd->id));
	if (cmd->level != NULL)
		json_object_set_new(o, "level", json_string(cmd->level));
	return o;
}

static int
ask(struct command *cmd)
{
	json_t	*end;
	int	 code;

	code = session_ask(request(cmd), output_line, cmd, &end);
	if (code == EXIT_FINE)
		output_end(cmd, end);
	json_decref(end);
	return code;
}

int
msactl_run(int nwords, char *const *words)
{
	struct command	 cmd;
	char		 error[512];
	int		 code;

	if (command_parse(&cmd, nwords, words, error, sizeof(error)) == -1)
		errx(EXIT_USAGE, "%s", error);
	if ((code = session_open(MSAD_SOCKET)) == EXIT_FINE)
		code = ask(&cmd);
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
	char		 error[512], *words[WORDS_MAX];
	int		 n, code;

	if (argc > 0 && is_sendmail(argv[0]))
		return sendmail_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], "sendmail") == 0)
		return sendmail_main(argc - 1, argv + 1);
	n = arguments(&o, argc, argv, words);
	if (n == 0)
		usage();
	if (command_parse(&cmd, n, words, error, sizeof(error)) == -1)
		errx(EXIT_USAGE, "%s", error);
	if (o.count != 0 && cmd.action != ACTION_MONITOR)
		usage();
	output_json(o.json);
	if ((code = session_open(o.socket)) != EXIT_FINE)
		return code;
	code = cmd.action == ACTION_MONITOR ? monitor(o.count, o.json) :
	    ask(&cmd);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		warn("standard output");
		if (code == EXIT_FINE)
			code = EXIT_ERROR;
	}
	return code;
}
