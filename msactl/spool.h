#ifndef MSACTL_SPOOL_H
#define MSACTL_SPOOL_H

/* "msactl spool ...", with "spool" as argv[0]; returns the exit status. */
int	 spool_main(int argc, char **argv);

#endif
