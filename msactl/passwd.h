#ifndef MSACTL_PASSWD_H
#define MSACTL_PASSWD_H

/* "msactl passwd ...", with "passwd" as argv[0]; returns the exit status. */
int	 passwd_main(int argc, char **argv);

#endif
