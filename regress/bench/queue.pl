#!/usr/bin/perl
# queue.pl: what a long queue costs.
#
# usage: perl regress/bench/queue.pl [-n messages] [-N recipients] [-p Postfix's
#	messages] [-r rounds] [-b block] [-s] [-w part,...]
# Started by "make bench-queue", as root. Without options: 1,000,000 messages,
# 10,000,000 recipients, 100,000 messages of Postfix. Takes some 30 minutes, 3 GB
# of memory, and about 3 octets of disk for each of a message's 2,000. -s: a short
# run of everything, 20,000 messages; -w: only these parts, of
#
#   index    what is in memory grows (b_index)
#   spool    a spool is filled as the queue does it, ends as by kill -9 and
#            starts (b_queue)
#   server   the whole server: messages come in by SMTP (b_load: TLS 1.3, AUTH
#            PLAIN, 8 connections, 2,000 octets, to 2,000 domains) while the next hop is down; msactl
#            asks and steers; all processes are killed with -9 and started again
#   postfix  the same of Postfix as Debian configures it, with in_flow_delay = 0
#            (the package's value slows down clients while the next hop is down)
#
# "accepted" is the median of -r blocks of -b messages, with the least and the
# most. Full and empty are compared in turns with a second msad that holds little
# but the blocks; "full over empty" is the median of the pairs' ratios, so that
# what else the machine does weighs on both, and "processor" what msad-queue uses
# a message, on which it weighs least. A command's time is the median of 5, from
# its start to its end, or of as many as begin within a minute. "start" ends with
# the 250 of a first message of a new session. Load, next hop and servers share
# the processors.
use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use Getopt::Std;
use Test::More ();
use POSIX qw(sysconf _SC_CLK_TCK);
use Time::HiRes qw(time);
use lib $FindBin::Bin, "$FindBin::Bin/../smtp";
use Msad;
use Peer;

my %o = (r => 11, b => 5000, w => 'index,spool,server,postfix');
getopts('n:N:p:r:b:sw:', \%o) or die "see the top of $0\n";
my %default = $o{s} ? (n => 20_000, N => 100_000, p => 10_000) :
    (n => 1_000_000, N => 10_000_000, p => 100_000);
$o{$_} //= $default{$_} for keys %default;
$o{b} = 500 if $o{s} && $o{b} == 5000;
my %part = map { $_ => 1 } split(/,/, $o{w});
my $CHOSEN = 100;		# messages of one sender to one domain
my $DOMAINS = 2000;		# of all other recipients
my $TIMES = 5;			# of each command
my $main = $$;
$| = 1;

# --- numbers ---

sub median {
	my @v = sort { $a <=> $b } @_;
	return @v % 2 ? $v[@v / 2] : ($v[@v / 2 - 1] + $v[@v / 2]) / 2;
}

sub row {
	my ($what, $unit, @v) = @_;
	@v = sort { $a <=> $b } @v;
	my $f = $v[-1] < 10 ? '%10.3f' : $v[-1] < 100 ? '%10.2f' : '%10.0f';
	my $spread = @v == 1 ? '' : sprintf("  (%s .. %s)",
	    map { sprintf($f, $_) =~ s/ //gr } @v[0, -1]);
	printf("%-44s $f %s%s\n", $what, median(@v), $unit, $spread);
}

# Milliseconds of a command, $TIMES times, or as often as it is begun within a
# minute; it returns false when it failed.
sub timed {
	my ($what, $command) = @_;
	my @v;
	my $begun = time;
	for (1 .. $TIMES) {
		last if time - $begun > 60;
		my $from = time;
		$command->() or die "$what: failed\n";
		push @v, (time - $from) * 1000;
	}
	row($what, 'ms', @v);
}

sub load_average { return (split(/ /, slurp('/proc/loadavg')))[0] }

# --- parts without the network ---

sub run {
	print("\n--- @_\n");
	system("$Msad::BUILD/" . shift, @_) == 0 or die "failed\n";
}

print("machine: ", `getconf _NPROCESSORS_ONLN` + 0, " processors, load ",
    load_average(), " before\n");
run('b_index', $o{N}), run('b_index', '-t', $o{n}) if $part{index};
if ($part{spool}) {
	my $dir = tempdir('msad-queue.XXXXXX', DIR => '/var/tmp', CLEANUP => 1);
	run('b_queue', '-n', $o{n}, '-r', $o{r}, '-d', $dir);
}
exit(0) unless $part{server} || $part{postfix};

# --- servers ---

my $nobody = free_port();	# the next hop that is down
my $u;

sub house {
	my (%o) = @_;
	return Msad->new(frontend_workers => 2, level => 'notice', start => 0,
	    relay => qq{relay "sink" { host "127.0.0.1" port $nobody retry { 1h } }\n},
	    extra => "limit session { mails 10000000 }\n", %o);
}

my $d = house();
$u = $d->account(0);
open(my $p, '|-', 'chpasswd', '-c', 'SHA512', '-s', '1000') or die;
print $p "$u->{name}:$u->{password}\n";
close($p) or die 'chpasswd';
Peer::init($d);

END {
	if ($$ == $main) {
		my $status = $?;
		eval { Peer::stop_all() };
		$? = $status;
	}
}

# Send n messages; how many a second were accepted.
sub load {
	my ($server, $n, $connections, %more) = @_;
	my $each = $n > 1000 ? 1000 : $n;
	my @cmd = ("$Msad::BUILD/b_load", qw(-j -s 2000 -t 36000), '-c',
	    $connections, '-m', $each, '-n', $n, '-p', $server->{port}, '-u',
	    $u->{name}, '-w', $u->{password}, '-f',
	    $more{from} // $u->{address},
	    $more{to} ? ('-r', $more{to}) : ('-d', $DOMAINS));
	my $from = time;
	open(my $f, '-|', @cmd) or die "b_load: $!";
	my $text = join('', <$f>);
	my %r = $text =~ /"(\w+)": ([\d.]+)/g;
	die "b_load: $text" if ($r{messages} // 0) != $n;
	$server->{sent} += $n;
	return $n / (time - $from);
}

# Microseconds of processor that the queue process has used.
sub used {
	my ($house) = @_;
	my @f = split(/ /, slurp('/proc/' . queue_pid($house) . '/stat') =~ s/^.*\) //sr);
	return ($f[11] + $f[12]) * 1e6 / sysconf(_SC_CLK_TCK);
}

# Blocks to each of the servers in turns: a list of speeds for each.
sub accepted {
	my (@servers) = @_;
	my @v = map { [] } @servers;
	$_->{used} = 0 for @servers;
	for my $s (@servers) {
		load($s, $o{b}, 8);
		system('sync');
	}
	for my $round (1 .. $o{r}) {
		for my $i ($round % 2 ? 0 .. $#servers : reverse 0 .. $#servers) {
			my $s = $servers[$i];
			my $before = $s->{house} ? used($s->{house}) : 0;
			push @{ $v[$i] }, load($s, $o{b}, 8);
			$s->{used} += used($s->{house}) - $before if $s->{house};
		}
	}
	$_->{used} /= $o{r} * $o{b} for @servers;
	return @v;
}

# Up to n messages in all, those to be selected spread over them.
sub fill {
	my ($server, $n) = @_;
	my ($from, $before) = (time, $server->{sent});
	for my $i (1 .. 10) {
		load($server, $CHOSEN / 10, 1, from => 'chosen@example.org',
		    to => 'someone@chosen.example');
		my $more = int(($n - $server->{sent}) / (11 - $i));
		load($server, $more, 8) if $more > 8;
	}
	$n = $server->{sent} - $before;
	row("accepted, $n more", '/s', $n / (time - $from));
}

sub over {
	my ($full, $empty) = @_;
	row('full over empty', '', map { $full->[$_] / $empty->[$_] } 0 .. $#$full);
}

# --- msad ---

sub queue_pid {
	my ($house) = @_;
	my ($queue) = grep { $_->{name} eq 'msad-queue' &&
	    $_->{ppid} == $house->{pid} } $house->children;
	return $queue->{pid};
}

# Resident private octets of the queue process.
sub rss {
	my ($kb) = slurp('/proc/' . queue_pid($d) . '/status') =~
	    /^RssAnon:\s+(\d+) kB/m;
	return $kb * 1024;
}

sub messages {
	my $s = $d->msactl('-j', 'show', 'stats')->{json}[0];
	return $s ? $s->{'queue.messages'} // 0 : -1;
}

# msactl with JSON to a file; its lines. What reads them is not measured.
sub msactl {
	my (@args) = @_;
	my $out = "$d->{dir}/answer";
	my $pid = fork() // die "fork: $!";
	if ($pid == 0) {
		open(STDOUT, '>', $out);
		{ exec("$Msad::BUILD/msactl", '-s', "$d->{dir}/msad.sock", '-j', @args); }
		POSIX::_exit(127);
	}
	waitpid($pid, 0);
	return $? == 0 ? sub { scalar(() = slurp($out) =~ /\n/g) } : undef;
}

# The command, which must answer with so many lines, or any number.
sub ask {
	my ($n, @args) = @_;
	my $lines;
	timed("msactl @args", sub { $lines = msactl(@args) });
	die "msactl @args: ", $lines->(), " lines\n" if defined $n && $lines->() != $n;
}

sub steer {
	my @chosen = ('from', 'chosen@example.org');
	ask($CHOSEN, 'queue', 'list', @chosen);
	ask($CHOSEN, 'queue', 'list', 'domain', 'chosen.example', 'size', '1k');
	ask(undef, 'queue', 'summary');
	ask(undef, 'queue', 'summary', 'domain');
	ask(undef, 'queue', 'age');
	ask(undef, '-n', 'queue', 'flush', 'all');
	ask(undef, 'queue', 'flush', 'domain', 'chosen.example');
	timed("hold and release of these $CHOSEN", sub {
		return !grep { !msactl('queue', $_, @chosen) } qw(hold release);
	});
	my $from = time;
	msactl('queue', 'drop', @chosen) or die "queue drop\n";
	row("msactl queue drop @chosen", 'ms', (time - $from) * 1000);
}

sub msad_part {
	print("\n--- msad, $o{n} messages\n");
	my $other = house();
	for ($d, $other) {
		$_->{tables} = qq{table "who" { "$u->{name}" = "\@example.org" }\n};
		$_->{match} = qq{match from auth sender <who> relay "sink"\n};
		$_->write_conf;
		$_->start;
	}
	my ($full, $empty) = map { { house => $_, port => $_->{port_tls},
	    sent => 0 } } $d, $other;
	my $none = rss();
	row('accepted by an empty queue', '/s', @{ (accepted($full))[0] });
	fill($full, $o{n});
	row('memory', 'octets a message', (rss() - $none) / $full->{sent});
	my ($v, $w) = accepted($full, $empty);
	row('accepted by the full queue', '/s', @$v);
	row('accepted by the other msad, in turns', '/s', @$w);
	over($v, $w);
	row('processor, full queue', 'us a message', $full->{used});
	row('processor, the other', 'us a message', $empty->{used});
	$other->stop;
	steer();
	$full->{sent} -= $CHOSEN;
	restart($full, $none);
	my $found = messages();
	printf("%-44s %10d of %d\n", 'messages in the queue', $found, $full->{sent});
	die "messages are missing\n" if $found != $full->{sent};
	$d->stop;
}

sub restart {
	my ($full, $none) = @_;
	my (@up, @cpu, @first, @size);
	for (1 .. 3) {
		$d->kill_all;
		my $from = time;
		$d->start;
		push @up, time - $from;
		push @cpu, used($d) / 1e6;
		load($full, 1, 1);
		push @first, time - $from;
		push @size, (rss() - $none) / $full->{sent};
	}
	row('kill -9, start until it accepts', 's', @up);
	row('of that processor of msad-queue', 's', @cpu);
	row('and to the first 250', 's', @first);
	row('memory after it', 'octets a message', @size);
}

# --- Postfix ---

sub qmgr {
	my ($server) = @_;
	for my $pid (tree($server->{master})) {
		next unless (Msad::proc_stat($pid))[1] eq 'qmgr';
		slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m;
		return $1 * 1024;
	}
	die 'no qmgr';
}

sub files {
	my ($server, $queue) = @_;
	my $n = `cd $server->{dir}/spool && find $queue -type f | wc -l`;
	return $n + 0;
}

# What came in has been tried, or most of it: the rest must not disturb.
sub settle {
	my ($server) = @_;
	my $from = time;
	&Msad::wait_for(sub { files($server, 'incoming active') == 0 }, 1200, 1);
	row('until all have been tried', 's', time - $from);
	system('sync');
}

sub postfix_steer {
	my ($server) = @_;
	my $c = "$server->{dir}/etc";
	my $ids = "postqueue -c $c -j | jq -r 'select(.sender == \"chosen\@example.org\") | .queue_id'";
	timed('postqueue -p | wc', sub { `postqueue -c $c -p | wc -l` > 1 });
	my @found;
	timed("postqueue -j, one sender's $CHOSEN", sub {
		@found = `$ids`;
		return @found > 0;
	});
	# those that move between its directories are missed or told twice
	printf("%-44s %10d\n", 'messages it told of', scalar(@found));
	timed('postqueue -s chosen.example', sub {
		system('postqueue', '-c', $c, '-s', 'chosen.example') == 0 });
	timed('qshape deferred', sub { `qshape -c $c deferred | wc -l` > 1 })
	    if -x '/usr/sbin/qshape';
	my $from = time;
	system("$ids | postsuper -c $c -d - >/dev/null 2>&1") == 0 or die 'postsuper';
	row("postqueue -j | postsuper -d -, these $CHOSEN", 'ms', (time - $from) * 1000);
	$from = time;
	system('postqueue', '-c', $c, '-f') == 0 or die 'postqueue -f';
	row('postqueue -f', 'ms', (time - $from) * 1000);
}

sub postfix_part {
	print("\n--- Postfix, $o{p} messages\n");
	my $server = Peer::postfix('tuned', $nobody, "in_flow_delay = 0\n" .
	    'fast_flush_domains = chosen.example');
	$server->{sent} = 0;
	row('accepted by an empty queue', '/s', @{ (accepted($server))[0] });
	fill($server, $o{p});
	row('memory of qmgr, while it tries them', 'MB', qmgr($server) / 1e6);
	settle($server);
	row('accepted by the full queue', '/s', @{ (accepted($server))[0] });
	settle($server);
	postfix_steer($server);
	my (@up, @first);
	for (1 .. 3) {
		Peer::kill_all($server);
		my $from = time;
		Peer::start($server);
		push @up, time - $from;
		load($server, 1, 1);
		push @first, time - $from;
	}
	row('kill -9, start until it accepts', 's', @up);
	row('and to the first 250', 's', @first);
	my $found = files($server, 'incoming active deferred');
	printf("%-44s %10d of %d\n", 'messages in the queue', $found,
	    $server->{sent} - $CHOSEN);
}

msad_part() if $part{server};
postfix_part() if $part{postfix};
printf("\nload %s after\n", load_average());
Peer::stop_all();
$d->done;
Test::More::done_testing();
