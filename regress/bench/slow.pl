#!/usr/bin/perl
# slow.pl: what a crowd of slow and idle clients costs a good one.
#
# usage: perl regress/bench/slow.pl [-n slow] [-i idle] [-g transactions]
#	[-r rounds] [-d] [-t seconds]; started by "make bench-slow", as root.
#
# By turns, alone and in the crowd (b_slow: half of it slow, an octet in 5 s, in
# cleartext, logged in, or in DATA; half of it idle and logged in), a good client
# (b_load) sends messages of 10 kB in one session, and then a message in each of
# new sessions (TLS, AUTH PLAIN), in batches. Printed: median and p99 of a
# transaction (MAIL to 250), the mean of a whole session, of the batches the
# median and, for a machine that does other things, the least, the ratios, and
# the memory (smaps_rollup) of all processes of the server. No limit closes a slow client here. Server,
# crowd and good client share the processors.
#
# -d: the default limits, but for the number of connections of one address: who
# is cut off when, for -t seconds.
use strict;
use warnings;

use FindBin;
use Getopt::Std;
use POSIX ();
use lib "$FindBin::Bin/../smtp";
use Msad;

my $BATCHES = 5;
my @WHAT = qw(p50 p99 session);
my %o = (n => 5000, i => 5000, g => 300, r => 3, t => 420);
getopts('n:i:g:r:t:d', \%o) or die "see the top of $0\n";
$| = 1;

my $limits = 'connections 30000, per-address 30000, per-network 30000';
$limits .= ', idle-time 1d, login-time 1d, data-time 1d, data-rate 0, ' .
    'mails 1000000' unless $o{d};
# The next hop takes all and keeps nothing.
my $port = Msad::free_port();
my $hop = fork() // die "fork: $!";
if ($hop == 0) {
	open(STDIN, '<', '/dev/null');
	open(STDOUT, '>', '/dev/null');
	{ exec("$Msad::BUILD/b_sink", '-p', $port); }
	POSIX::_exit(127);
}
END { kill('TERM', $hop) if $hop }

my $d = Msad->new(frontend_workers => 2, level => 'notice',
    relay => qq{relay "sink" { host "127.0.0.1" port $port }\n},
    match => qq{match from auth sender own relay "sink"\n},
    extra => "limit session { $limits }\n");
my $u = $d->account(0);
open(my $p, '|-', 'chpasswd', '-c', 'SHA512', '-s', '1000') or die;
print $p "$u->{name}:$u->{password}\n";
close($p) or die 'chpasswd';
my @client = ('-p', $d->{port_tls}, '-u', $u->{name}, '-w', $u->{password},
    '-f', $u->{address});

# Proportional set size of all processes, in MiB, by program.
sub memory {
	my %by = (all => 0);
	for my $p ({ pid => $d->{pid}, name => 'msad' }, $d->children) {
		slurp("/proc/$p->{pid}/smaps_rollup") =~ /^Pss:\s+(\d+) kB/m
		    or next;
		$by{$_} += $1 / 1024 for 'all', $p->{name};
	}
	return join(' ', map { sprintf('%s %.1f', $_, $by{$_}) }
	    sort { $by{$b} <=> $by{$a} } keys %by);
}

sub load {
	my ($each, $n) = @_;
	my @cmd = ("$Msad::BUILD/b_load", '-j', @client, '-c', 1, '-m', $each,
	    '-n', $n, '-s', 10000);
	open(my $f, '-|', @cmd) or die "b_load: $!";
	my $text = join('', <$f>);
	my %r = $text =~ /"(\w+)": ([\d.]+)/g;
	die "the good client: $text" if ($r{messages} // 0) != $n;
	return \%r;
}

sub median { return (sort { $a <=> $b } @_)[$#_ / 2] }

# Ticks of the server's processes.
sub cpu {
	my $n = 0;
	for my $pid ($d->{pid}, map { $_->{pid} } $d->children) {
		slurp("/proc/$pid/stat") =~ /^.*\) (.*)$/s or next;
		my @f = split(/ /, $1);
		$n += $f[11] + $f[12];
	}
	return $n;
}

# What the server uses of a processor by itself in some seconds, in percent.
sub load_of_crowd {
	my ($seconds) = @_;
	my $before = cpu();
	select(undef, undef, undef, $seconds);
	return (cpu() - $before) / POSIX::sysconf(POSIX::_SC_CLK_TCK()) /
	    $seconds * 100;
}

# Batches; of each number the median of theirs and the least.
sub measure {
	my ($name) = @_;
	my (%b, %r);
	for (1 .. $BATCHES) {
		my $t = load($o{g}, $o{g});
		push @{ $b{p50} }, $t->{p50_ms};
		push @{ $b{p99} }, $t->{p99_ms};
		push @{ $b{session} }, 1000 * load(1, $o{g})->{seconds} / $o{g};
	}
	for my $what (@WHAT) {
		$r{$what} = median(@{ $b{$what} });
		$r{"$what least"} = (sort { $a <=> $b } @{ $b{$what} })[0];
	}
	printf("%-6s transaction p50 %.2f ms (least %.2f) p99 %.2f ms, session " .
	    "with login %.2f ms (least %.2f)\n", $name, @r{'p50', 'p50 least',
	    'p99', 'session', 'session least'});
	return \%r;
}

# The crowd: a process, and what it is asked and tells by.
sub crowd {
	pipe(my $in, my $end) or die;
	pipe(my $said, my $out) or die;
	my $pid = fork() // die;
	if ($pid == 0) {
		close($end);
		POSIX::dup2(fileno($in), 0);
		POSIX::dup2(fileno($out), 1);
		{ exec("$Msad::BUILD/b_slow", @client, '-P',
		    $d->{port_starttls}, '-n', $o{n}, '-i', $o{i}); }
		POSIX::_exit(127);
	}
	close($in);
	close($out);
	return { pid => $pid, end => $end, said => $said };
}

sub crowd_ready {
	my ($c) = @_;
	while (defined(my $line = readline($c->{said}))) {
		return if $line eq "ready\n";
		print "  before all were there: $line";
	}
	die "the crowd does not come\n", $d->log;
}

sub crowd_end {
	my ($c) = @_;
	close($c->{end});
	print "  in the end: $_" while readline($c->{said});
	waitpid($c->{pid}, 0);
}

sub sessions {
	my $s = $d->msactl('-j', 'show', 'stats')->{json}[0] or return -1;
	return $s->{'smtp.sessions.active'} // -1;
}

if ($o{d}) {
	my $began = time;
	my $c = crowd();
	local $SIG{ALRM} = sub { close($c->{end}); delete $c->{end} };
	alarm($o{t});
	while (defined(my $line = readline($c->{said}))) {
		printf("%4d s %s", time - $began, $line);
	}
	waitpid($c->{pid}, 0);
	$d->finish;
	exit 0;
}

measure('warm');
printf("memory MiB: %s\n", memory());
my %all;
for my $round (1 .. $o{r}) {
	push @{ $all{alone} }, measure('alone');
	my $c = crowd();
	crowd_ready($c);
	printf("crowd: %d slow, %d idle; the server has %d sessions\n", $o{n},
	    $o{i}, sessions());
	printf("processor the crowd takes of the server: %.1f %%\n",
	    load_of_crowd(10));
	push @{ $all{crowd} }, measure('crowd');
	printf("memory MiB: %s\n", memory());
	crowd_end($c);
	&Msad::wait_for(sub { sessions() == 0 }, 60);
}
for my $what (map { ($_, "$_ least") } @WHAT) {
	my %m = map { my $k = $_; $k => median(map { $_->{$what} }
	    @{ $all{$k} }) } keys %all;
	printf("%-13s alone %.2f ms, in the crowd %.2f ms: ratio %.2f\n", $what,
	    $m{alone}, $m{crowd}, $m{crowd} / $m{alone});
}
printf("memory MiB: %s\n", memory());
$d->finish;
