#!/usr/bin/perl
# queue.pl: what a long queue costs.
#
# usage: perl regress/bench/queue.pl [-n messages] [-N recipients] [-r rounds]
#	[-b block] [-s]; started by "make bench-queue", as root. Without -n and -N:
#	1,000,000 messages, 10,000,000 recipients. Takes some minutes, and about 3
#	octets of disk for each of a message's 2,000.
#
# Three parts. The first lets what is in memory grow (b_index); the second fills
# a spool as the queue does, ends as by kill -9, and starts (b_queue); the third
# is the whole server: messages of 2,000 octets come in by SMTP (b_load: TLS 1.3,
# AUTH PLAIN, 8 connections) while the next hop is down, all processes are killed
# with -9 and started again. "accepted" is the median of -r blocks of -b messages,
# with the least and the most; "start" ends with the 250 of a first message of a
# new session. Load and server share the processors. -s: the third part only.
use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use Getopt::Std;
use Time::HiRes qw(time);
use lib "$FindBin::Bin/../smtp";
use Msad;

my %o = (n => 1_000_000, N => 10_000_000, r => 5, b => 5000);
getopts('n:N:r:b:s', \%o) or die "see the top of $0\n";
$| = 1;

sub run {
	print("--- @_\n");
	system("$Msad::BUILD/" . shift, @_) == 0 or die "failed\n";
}

if (!$o{s}) {
	run('b_index', $o{N});
	my $dir = tempdir('msad-queue.XXXXXX', DIR => '/var/tmp', CLEANUP => 1);
	run('b_queue', '-n', $o{n}, '-r', $o{r}, '-d', $dir);
}

print("--- the whole server, $o{n} messages\n");
my $port = free_port();		# nobody is there
my $d = Msad->new(frontend_workers => 2, level => 'notice',
    relay => qq{relay "sink" { host "127.0.0.1" port $port retry { 1h } }\n},
    match => qq{match from auth sender own relay "sink"\n},
    extra => "limit session { mails 1000000 }\n");
my $u = $d->account(0);
open(my $p, '|-', 'chpasswd', '-c', 'SHA512', '-s', '1000') or die;
print $p "$u->{name}:$u->{password}\n";
close($p) or die 'chpasswd';

sub load {
	my ($n, $connections) = @_;
	my $each = $n > 1000 ? 1000 : $n;
	my @cmd = ("$Msad::BUILD/b_load", qw(-j -s 2000 -t 3600), '-c',
	    $connections, '-m', $each, '-n', $n, '-p', $d->{port_tls}, '-u',
	    $u->{name}, '-w', $u->{password}, '-f', $u->{address});
	my $from = time;
	open(my $f, '-|', @cmd) or die "b_load: $!";
	my $text = join('', <$f>);
	my %r = $text =~ /"(\w+)": ([\d.]+)/g;
	die "b_load: $text" if ($r{messages} // 0) != $n;
	return $n / (time - $from);
}

# Resident private octets of the queue process.
sub rss {
	my ($queue) = grep { $_->{name} eq 'msad-queue' && $_->{ppid} == $d->{pid} }
	    $d->children;
	my ($kb) = slurp("/proc/$queue->{pid}/status") =~ /^RssAnon:\s+(\d+) kB/m;
	return $kb * 1024;
}

sub messages {
	my $s = $d->msactl('-j', 'show', 'stats')->{json}[0];
	return $s ? $s->{'queue.messages'} // 0 : -1;
}

my $sent = 0;
sub accepted {
	my ($what) = @_;
	load($o{b}, 8);
	system('sync');
	my @v = sort { $a <=> $b } map { load($o{b}, 8) } 1 .. $o{r};
	$sent += $o{b} * ($o{r} + 1);
	printf("%-36s %10.0f /s  (%.0f .. %.0f)\n", $what, $v[@v / 2], $v[0], $v[-1]);
	return $v[@v / 2];
}

my $empty = rss();
my $first = accepted('accepted by an empty queue');
if ($sent < $o{n}) {
	my $from = time;
	my $n = $o{n} - $sent;
	load($n, 8);
	$sent += $n;
	printf("%-36s %10.0f s\n", "$n more", time - $from);
}
my $full = accepted('accepted by the full queue');
printf("%-36s %10.2f\n", 'full over empty', $full / $first);
printf("%-36s %10.0f octets a message\n", 'memory', (rss() - $empty) / $sent);
for (1 .. 3) {
	$d->kill_all;
	my $from = time;
	$d->start;
	my $up = time - $from;
	load(1, 1);
	$sent++;
	printf("%-36s %10.2f s  (ready after %.2f)\n", 'start to the first 250', time - $from, $up);
	printf("%-36s %10.0f octets a message\n", 'memory', (rss() - $empty) / $sent);
}
my $found = messages();
printf("%-36s %10d of %d\n", 'messages in the queue', $found, $sent);
$d->done;
die "messages are missing\n" if $found != $sent;
