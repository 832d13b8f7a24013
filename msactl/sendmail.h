#ifndef MSACTL_SENDMAIL_H
#define MSACTL_SENDMAIL_H

/*
 * sendmail(8): hand a message over to msad's local socket. argv[0] is the name
 * of the program. Returns the exit code, one of sysexits(3).
 */
int	 sendmail_main(int argc, char **argv);

/* For -bp and -q: do what the words ask msad for; msactl's exit code. */
int	 msactl_run(int nwords, char *const *words);

#endif
