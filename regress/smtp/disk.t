#!/usr/bin/perl
# The disk is full, fails, or is slow: a temporary code, nothing acknowledged
# lost, service again without a restart (P1, P7, P-dur-1, P-dur-3,
# R1870-6.1-a); a record that the disk has damaged is told, with its place, and
# the rest kept. Faults of the disk are made by fault.c, loaded into msad-queue.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MIME::Base64;
use Msad;
use Test::More;
use Time::HiRes qw(time);

my $d = Msad->new(start => 0, extra => "limit session { mails 100000 }\n");
my $u = $d->account(0);
{
	my ($uid, $gid) = (getpwnam('_msadq'))[2, 3];
	if (system("mount -t tmpfs -o size=20m,mode=0700,uid=$uid,gid=$gid " .
	    "tmpfs $d->{spool} 2>/dev/null") != 0) {
		plan(skip_all => 'cannot mount a tmpfs');
	}
	$d->{mounted} = 1;
}
my $long = 'y' x 480;
my $hop = $d->nexthop(down => 1, on => { RCPT => sub {
	$_[0] =~ /<later/ ? '450 4.2.1 busy' :
	$_[0] =~ /<bad/ ? "550-5.1.1 $long\r\n550 5.1.1 $long" : undef } });
$d->{relay} = "relay \"hop\" { host 127.0.0.1 port $hop->{port} retry { 1h } }\n";
$d->{match} = "match from auth sender own relay \"hop\"\n";
$d->write_conf;
spew("$d->{dir}/fault", "\0" x 4096, 0666);
my $faulty = system('sh', '-c', 'exec cc -shared -fPIC -o "$1" "$2" 2>&1', 'sh',
    "$d->{dir}/fault.so", "$FindBin::Bin/fault.c") == 0 && $Msad::BUILD !~ /asan/;
if ($faulty) {
	# msad passes on no environment: a script in the program's place does
	my $dir = $d->{libexec} = "$d->{dir}/libexec";
	mkdir $dir;
	symlink($_, "$dir/" . s{.*/}{}r) for glob("$Msad::BUILD/msad-*");
	unlink("$dir/msad-queue");
	spew("$dir/msad-queue", "#!/bin/sh\nexport LD_PRELOAD='$d->{dir}/fault.so' " .
	    "MSAD_FAULT='$d->{dir}/fault'\nexec '$Msad::BUILD/msad-queue' \"\$@\"\n", 0755);
}
$d->start;

my (%accepted, $serial);

# Submit; what gets its 250 must arrive.
sub mail {
	my ($c, $size, %o) = @_;
	my $name = 'message ' . ++$serial;
	my $r = $c->submit($u->{address}, 'r@x.example',
	    "From: <$u->{address}>\r\nSubject: $name\r\n\r\n" .
	    ('x' x 700 . "\r\n") x ($size / 702), %o);
	$accepted{$name}++ if $r->{code} == 250;
	$c->cmd('RSET') if $r->{code} >= 400;
	return $r;
}

sub code { my ($r) = @_; return "$r->{code} $r->{enh}" }

sub queue_pids {
	my ($queue) = grep { $_->{name} eq 'msad-queue' &&
	    $_->{ppid} == $d->{pid} } $d->children;
	my ($flusher) = grep { $_->{ppid} == $queue->{pid} } $d->children;
	return ($queue->{pid}, $flusher->{pid});
}

# What a call does from now on: see fault.c.
my %call = (flush => 0, write => 1);
my %how = (works => 0, fails_once => 1, fails => 2, is_full_once => 3);
sub disk {
	my ($call, $how) = @_;
	open(my $f, '+<:raw', "$d->{dir}/fault") or die;
	sysseek($f, $call{$call}, 0);
	syswrite($f, chr($how{$how}));
	close($f);
}

sub intact {
	my ($name) = @_;
	my @q = $d->queue;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(scalar @q, scalar keys %accepted, $name);
}

subtest 'full' => sub {
	my $c = $d->session(0);
	my ($r, $n) = (undef, 0);
	is(code(mail($c, 1000)), '250 2.0.0', 'a message goes in');
	# small ones fill segments, big ones have files of their own
	for (1 .. 800) {
		$r = mail($c, $_ % 4 ? 100_000 : 1_000_000);
		last if $r->{code} != 250;
		$n++;
	}
	is(code($r), '452 4.3.1', "P-dur-3 452 after $n messages");
	is(code($c->cmd("MAIL FROM:<$u->{address}> SIZE=45000000")), '452 4.3.1',
	    'R1870-6.1-a MAIL with a SIZE that does not fit');
	is($c->cmd('NOOP')->{code}, 250, 'P7 the session goes on');
	intact('what had its 250 is queued, nothing else');

	$d->kill_all;
	$d->start;
	intact('P1 so it is after kill -9 on a full disk');

	$hop->start;
	is($d->msactl('queue', 'flush', 'all')->{status}, 0, 'the next hop is back');
	ok(wait_for { !$d->queue }, 'all of it leaves a full disk');
	$c = $d->session(0);
	ok(wait_for { mail($c, 200_000)->{code} == 250 },
	    'P-dur-3 space is back: 250 without a restart');
	ok(wait_for { !$d->queue }, 'and delivered');
	arrived();
	$hop->stop;
	$c->close;
};

# How often each message has arrived. The next hop's record is read by hand:
# decode_json would take a minute for so much.
sub received {
	my %got;
	open(my $f, '<', $hop->{record}) or return \%got;
	while (<$f>) {
		my ($data) = /"data":"([^"]{1,4000})/ or next;
		$got{$1}++ if /"accepted":1/ &&
		    decode_base64($data) =~ /^Subject: (.*?)\r$/m;
	}
	return \%got;
}

# The reports that came to the next hop.
sub reports {
	open(my $f, '<', $hop->{record}) or return;
	return map { /"data":"([^"]*)"/ ? decode_base64($1) : '' }
	    grep { /"from":""/ } <$f>;
}

sub arrived {
	my @lost;
	wait_for { my $got = received(); !(@lost = grep { !$got->{$_} } sort keys %accepted) };
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is("@lost", '', 'P1 all that got 250 has arrived: ' . keys %accepted);
	%accepted = ();
}

# One fault and a message. Work of another kind (a spare segment made ahead,
# say) may catch the fault; then once more.
sub mail_with_fault {
	my ($c, @fault) = @_;
	my $r;
	for (1 .. 5) {
		disk(@fault);
		$r = mail($c, 2000);
		last if $r->{code} != 250;
	}
	return $r;
}

my $c = $d->session(0);
subtest 'a flush fails' => sub {
	plan(skip_all => 'no C compiler') unless $faulty;
	is(mail($c, 2000)->{code}, 250, 'before') for 1 .. 3;
	is(code(mail_with_fault($c, flush => 'fails_once')), '451 4.3.0', 'P1 451, no 250, when the flush fails');
	ok(wait_for { mail($c, 2000)->{code} == 250 },
	    'P7 the next one gets 250 without a restart');
	ok($d->log_wait(qr/event=spool-damage.*failed/), 'P8 and the log says so');
	is(mail($c, 2000)->{code}, 250, 'after') for 1 .. 3;
	intact('what had its 250 is queued');
	$d->kill_all;
	$d->start;
	intact('P1 and after kill -9');
	$c = $d->session(0);
};

subtest 'every flush fails' => sub {
	plan(skip_all => 'no C compiler') unless $faulty;
	disk(flush => 'fails');
	my @r = map { mail($c, 2000) } 1 .. 4;
	ok($d->log_wait(qr/event=spool-stopped/), 'acceptance stops, with the reason');
	push @r, my $m = $c->cmd("MAIL FROM:<$u->{address}>");
	is(code($m), '451 4.3.0', 'MAIL is refused then');
	is(scalar(grep { $_->{code} != 451 } @r), 0, 'P1 never a 250') or
	    diag(join(' ', map { code($_) } @r));
	disk(flush => 'works');
	ok(wait_for { mail($c, 2000)->{code} == 250 }, 'P7 the disk is well: 250 again');
	intact('nothing is lost, nothing doubled');
};

subtest 'a write fails' => sub {
	plan(skip_all => 'no C compiler') unless $faulty;
	is(code(mail_with_fault($c, write => 'fails_once')), '451 4.3.0', 'P1 451 when the write fails');
	ok(wait_for { mail($c, 2000)->{code} == 250 }, 'P7 and 250 again');
	disk(write => 'is_full_once');
	is(code(mail($c, 600_000)), '452 4.3.1', 'P-dur-3 452 when a body does not fit');
	is(mail($c, 600_000)->{code}, 250, 'and the next one does');
	opendir(my $dir, "$d->{spool}/bodies");
	is(scalar(grep { !/^\./ } readdir($dir)), 1, 'P6 no file of the refused one stays');
	intact('what had its 250 is queued');
};

subtest 'results cannot be written' => sub {
	plan(skip_all => 'no C compiler') unless $faulty;
	disk(flush => 'fails');
	$hop->start;
	$d->msactl('queue', 'flush', 'all');
	ok($d->log_wait(qr/event=spool-change/), 'delivered; the removal waits for the disk');
	disk(flush => 'works');
	ok(wait_for { !$d->queue }, 'the queue is empty in the end');
	my $got = received();
	is($d->stop, 0, 'clean exit');
	$d->start;
	is(scalar(my @q = $d->queue), 0, 'P-dur-2 and empty after a restart');
	$c->close;
	$c = $d->session(0);
	arrived();
	is_deeply(received(), $got, 'P-dur-2 nothing is delivered again');
};

subtest 'the flusher hangs, then dies' => sub {
	my (undef, $flusher) = queue_pids();
	$hop->start unless $hop->{pid};
	kill('STOP', $flusher);
	my $r = mail($c, 2000, timeout => 1);
	is($r->{code}, 0, 'P1 no flush, no 250');
	my $s = $d->session(0);
	is($s->cmd('NOOP')->{code}, 250, 'P6 other sessions are served');
	is($d->msactl('show', 'status')->{status}, 0, 'msactl as well');
	kill('CONT', $flusher);
	$r = $c->reply;
	is($r->{code}, 250, 'it goes on: 250');
	$accepted{"message $serial"}++;
	ok(wait_for { !$d->queue }, 'delivered');
	arrived();
	kill('KILL', $flusher);
	my $status;
	ok(wait_for { waitpid($d->{pid}, 1) == $d->{pid} ? ($status = $?, 1)[1] : 0 },
	    'killed: the family ends, nothing can be made durable');
	isnt($status, 0, 'with a failure');
	$d->{pid} = undef;
	$_->close for $s, $c;
	$d->start;
	$c = $d->session(0);
	is(mail($c, 2000)->{code}, 250, 'and works when it is started again');
	ok(wait_for { !$d->queue }, 'delivered');
	arrived();
	$c->close;
};

# Damage what the spool holds of a message, as dd would; how many places.
sub damage {
	my ($name) = @_;
	my $n = 0;
	for my $path (glob("$d->{spool}/log/* $d->{spool}/bodies/*")) {
		my $text = slurp($path);
		my $at = index($text, "Subject: $name\r\n");
		next if $at == -1;
		open(my $f, '+<:raw', $path) or die "$path: $!";
		sysseek($f, $at + 9, 0);
		syswrite($f, 'MESSAGE');
		close($f);
		$n++;
	}
	return $n;
}

sub delivered {
	my ($name, $gone, @names) = @_;
	$hop->start;
	$d->msactl('queue', 'flush', 'all');
	ok(wait_for { !$d->queue }, "$name: the queue runs empty");
	# the next hop notes it after its reply
	my ($got, $left);
	wait_for { $got = received(); $left = "@{[grep { !$got->{$_} } @names]}"; $left eq $gone };
	is($left, $gone, "$name: all but the damaged one arrive");
	is(scalar(grep { /^MESSAGE/ } keys %$got), 0, "$name: P1 and that one does not arrive torn");
	$hop->stop;
	delete @accepted{@names};
}

subtest 'a segment is damaged while it runs' => sub {
	$hop->stop;
	my $c = $d->session(0);
	for my $size (2000, 600_000) {
		my $name = "$size octets";
		my @names = map { is(mail($c, $size)->{code}, 250, "$name: accepted"); "message $serial" } 1 .. 5;
		my ($at, $reports) = (length $d->log, scalar(() = reports()));
		cmp_ok(damage($names[1]), '>=', 1, "$name: the second is damaged");
		delivered($name, $names[1], @names);
		like(substr($d->log, $at), qr{event=spool-damage place="?(?:log|bodies)/[0-9a-f]{16}"? offset=\d+},
		    "$name: P8 the log tells the place");
		my ($id) = substr($d->log, $at) =~ /q=(\w+) event=message-lost /;
		ok($id, "$name: P8 and the message");
		my @r;
		wait_for { @r = reports(); @r > $reports };
		is(@r - $reports, 1, "$name: P1 and its sender is told") or next;
		like($r[-1], qr/was lost/, "$name: so");
	}
	is(mail($c, 2000)->{code}, 250, 'P7 it goes on');
	$c->close;
	$hop->start;
	$d->msactl('queue', 'flush', 'all');
	ok(wait_for { !$d->queue }, 'and delivers');
	arrived();
};

subtest 'a damaged segment is recovered' => sub {
	$hop->stop;
	my $c = $d->session(0);
	my @names = map { mail($c, 2000)->{code} == 250 ? "message $serial" : () } 1 .. 20;
	is(scalar @names, 20, '20 messages accepted');
	cmp_ok(damage($names[7]), '>=', 1, 'one is damaged');
	my $at = length $d->log;
	$d->kill_all;
	$d->start;
	like(substr($d->log, $at), qr{event=spool-damage place="log/[0-9a-f]{16}" offset=\d+ text="[^"]*damaged},
	    'P8, P-dur-4 the log tells the place');
	like(substr($d->log, $at), qr/event=recovered messages=19 .* bad=[1-9]/, 'and 19 are recovered');
	is(scalar(my @q = $d->queue), 19, 'P1 the others are there');
	$c->close;
	$c = $d->session(0);
	is(mail($c, 2000)->{code}, 250, 'P7 it goes on');
	my $last = "message $serial";
	$d->kill_all;
	$d->start;
	is(scalar(@q = $d->queue), 20, 'P1 so it is after the next start');
	$c->close;
	delivered('recovered', $names[7], @names, $last);
	$hop->start;
};

# The segments of a small disk bound a transaction to 512 KiB.
subtest 'a long report on a small disk' => sub {
	my $c = $d->session(0);
	my $r = $c->submit($u->{address}, [(map { "bad$_\@x.example" } 1 .. 999),
	    'later@x.example'], "From: <$u->{address}>\r\nSubject: many\r\n\r\nx\r\n");
	is($r->{code}, 250, 'accepted for 1,000 recipients');
	my @dsn;
	my $about = sub { return grep { /bad1\@x\.example/ } reports() };
	ok(wait_for { @dsn = $about->() },
	    'P4 a report about 999 of them') or return;
	is(scalar(() = $dsn[0] =~ /^Final-Recipient: /mg), 999, 'all in it');
	my @left = map { grep { $_->{state} eq 'waiting' } @{ $_->{rcpts} } } $d->queue;
	is("@{[map { $_->{to} } @left]}", 'later@x.example', 'one recipient waits');
	$d->kill_all;
	$d->start;
	ok(wait_for { $d->queue == 1 }, 'after kill -9 as well');
	$d->msactl('queue', 'flush', 'all');
	is(scalar(() = $about->()), 1, 'P-dur-2 reported once');
	$d->msactl('queue', 'remove', 'all');
	$c->close;
};

$d->done;
done_testing;
