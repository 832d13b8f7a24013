#!/usr/bin/perl
# P6, issue B: once its header is sent a session takes less than 64 KiB over all
# processes, whatever the message: many sessions at once, all in the middle of
# theirs, against the memory before they came. What else grows
# with them (buffers of the channels, pages that are kept for the next) counts
# too. Each kind of body is one that another place might gather.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Msad;
use Test::More;

my $n = 200;
my $limit = 64;		# KiB

plan(skip_all => 'a sanitizer build takes memory of its own')
    if `ldd $Msad::BUILD/msad-frontend` =~ /libasan/;
plan(skip_all => 'no smaps_rollup') unless -r '/proc/self/smaps_rollup';

my $d = Msad->new(frontend_workers => 2, level => 'notice', start => 0,
    relay => qq{relay "nobody" { host "127.0.0.1" port 1 }\n},
    match => qq{match from auth sender own relay "nobody"\n} .
    qq{match from local user root sender any relay "nobody"\n});
my $sock = "$d->{dir}/submit.sock";
$d->{extra} = qq{listen on socket "$sock"\n} .
    "limit session { connections 1000, per-address 1000, per-network 1000 }\n";
$d->write_conf;
$d->start;
my $u = $d->account(0);
# a hash that costs nothing: this is no test of logins
open(my $p, '|-', 'chpasswd', '-c', 'SHA512', '-s', '1000') or die;
print $p "$u->{name}:$u->{password}\n";
close($p) or die 'chpasswd';

# Memory of its own of all processes, and by program, in KiB. (That of programs
# and libraries is shared with whoever runs meanwhile.)
sub memory {
	my %by = (all => 0);
	for my $p ({ pid => $d->{pid}, name => 'msad' }, $d->children) {
		slurp("/proc/$p->{pid}/smaps_rollup") =~
		    /^Anonymous:\s+(\d+) kB/m or next;
		$by{$_} += $1 for 'all', $p->{name};
	}
	return \%by;
}

sub sessions {
	return $d->msactl('-j', 'show', 'stats')->{json}[0]{'smtp.sessions.active'};
}

sub local_session {
	my $s = IO::Socket::UNIX->new(Peer => $sock) or die "$sock: $!";
	$s->blocking(0);
	my $c = bless { sock => $s, in => '', timeout => 20 }, 'Msad::Smtp';
	$c->greeting or die 'no greeting';
	$c->cmd('EHLO localhost');
	return $c;
}

# Between clients and the TLS port: hands on what clients send in pieces of 700
# octets, and of each no more than so many octets in all, so that a record of TLS
# comes in parts and the last one never whole.
sub proxy {
	my ($max) = @_;
	my $l = IO::Socket::INET->new(Listen => 300, LocalAddr => '127.0.0.1')
	    or die "proxy: $!";
	my $pid = fork() // die "fork: $!";
	return ($l->sockport, $pid) if $pid;
	my ($sel, %to, %left) = IO::Select->new($l);
	for (;;) {
		for my $s ($sel->can_read) {
			if ($s == $l) {
				my $c = $l->accept or next;
				my $m = IO::Socket::INET->new(PeerPort =>
				    $d->{port_tls}, PeerAddr => '127.0.0.1');
				$_->setsockopt(6, 1, 1) for $c, $m;
				($to{$c}, $to{$m}, $left{$c}) = ($m, $c, $max);
				$sel->add($c, $m);
				next;
			}
			my $n = $left{$s} // 16384;
			my $got = sysread($s, my $buf, $n > 700 ? 700 : $n);
			if (!$got) {
				$sel->remove($s, $to{$s});
				close($_) for $to{$s}, $s;
				next;
			}
			syswrite($to{$s}, $buf);
			next unless defined $left{$s};
			$left{$s} -= $got;
			$sel->remove($s) if $left{$s} <= 0;
		}
	}
}

sub proxy_end {
	my ($pid) = @_;
	kill('KILL', $pid);
	waitpid($pid, 0);
}

sub begin_message {
	my ($c, $header, $more) = @_;
	$c->cmd("MAIL FROM:<$u->{address}>" . ($more // ''));
	$c->cmd('RCPT TO:<r@x.example>');
	$c->cmd('DATA')->{code} == 354 or return 0;
	return $c->send("From: <$u->{address}>\r\n$header\r\n");
}

my $warm = $d->session(0);
$warm->submit($u->{address}, 'r@x.example', "From: <$u->{address}>\r\n\r\nx\r\n");
$warm->quit;
$warm = local_session();
$warm->quit;
my $start = memory();

my $mixed = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n";
my $text = 'y' x 76 . "\r\n";
$text x= 420;
my $umlauts = "\xc3\xa9" x 38 . "\r\n";
$umlauts x= 420;
my $part = "--b\r\nContent-Type: text/plain\r\n\r\n" .
    substr($text, 0, 250 * 78);
my @cases = (
	['7-bit text', '', $text, 16],
	['a size that was announced', '', $text, 16, ' SIZE=30000000'],
	['text that becomes quoted-printable', '', $umlauts, 12],
	['a part whose encoding is open', $mixed, $part, 1],
	['a part with a large header', $mixed,
	    "--b\r\n" . join('', map { "X-A: $_\r\n" } ('y' x 900) x 17), 1],
	['messages shorter than what is kept in memory', '',
	    $text, 2],
);

for my $how ('TLS', 'a local socket') {
	for my $case (@cases) {
		my ($name, $header, $block, $times, $more) = @$case;
		my @c = map { $how eq 'TLS' ? $d->session(0) :
		    local_session() } 1 .. $n;
		my $good = 0;
		for my $c (@c) {
			$good++ if begin_message($c, $header, $more);
		}
		my $most = { all => 0 };
		for my $round (1 .. $times) {
			$c[$_]->send($block) || $good-- for 0 .. $#c;
			next if $round != $times && $round % 8 != 0;
			my $now = memory();
			$most = $now if $now->{all} > $most->{all};
		}
		is($good, scalar(@c), "$how: all sent: $name");
		my %kib = map { $_ => ($most->{$_} - $start->{$_}) / @c }
		    keys %$start;
		cmp_ok($kib{all}, '<', $limit, "KiB a session over $how: $name");
		diag("$how, $name: ", join(' ', map { sprintf('%s %.1f', $_,
		    $kib{$_}) } grep { abs($kib{$_}) > 0.2 } sort keys %kib))
		    if $ENV{MSAD_VERBOSE};
		$_->close for @c;
		wait_for { sessions() == 0 } or die 'sessions stay';
	}
}

# What comes in small pieces comes whole, and what does not stays outside.
sub session_by {
	my ($port) = @_;
	local $d->{port_tls} = $port;
	return $d->session(0, tls => 'tls');
}
my ($port, $pid) = proxy(1e9);
my $c = session_by($port);
begin_message($c, '');
$c->send($text) for 1 .. 20;
is($c->cmd('.')->{code}, 250, 'a message in pieces of 700 octets');
$c->quit;
proxy_end($pid);
($port, $pid) = proxy(100_000);
my @c = map { session_by($port) } 1 .. $n;
begin_message($_, '') for @c;
for my $c (@c) {
	$c->send($text) for 1 .. 4;
}
my $seen = -1;
my $quiet = sub {
	my $io = join(' ', map { slurp("/proc/$_->{pid}/io") =~ /^rchar: (\d+)/m }
	    $d->child_named('msad-frontend'));
	my $still = $io eq $seen;
	$seen = $io;
	select(undef, undef, undef, 0.1);
	return sessions() == $n && $still;
};
ok(&wait_for($quiet), 'all are in the middle of a record');
cmp_ok((memory()->{all} - $start->{all}) / $n, '<', $limit,
    'KiB a session in the middle of a record');
diag(sprintf('in a record: %.1f KiB', (memory()->{all} - $start->{all}) / $n))
    if $ENV{MSAD_VERBOSE};
$_->close for @c;
proxy_end($pid);

is($d->stop, 0, 'ends well');
$d->done;
done_testing();
