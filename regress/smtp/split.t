# Recorded dialogues, fed to the real daemon in every way a stream of octets
# may fall into packets: cut in two at each octet, in pieces of some sizes, one
# octet a time. Replies and mail are the same each time (R2920-3.2-b).
#
# dialogues/NAME.txt:
#	@ WORD		clear: no TLS; tls: no login; login: a login each time;
#			needs KEYWORD: only if EHLO lists it
#	> text		what the client sends, with CRLF unless \c ends it;
#			\r \n \t \0 \xNN, %me, %user64, %password64
#	{ .. }		the chunk whose size %size was
#	< 250 2.0.0	the codes of the next reply
# Everything is sent without waiting for a reply. Under TLS a piece is a record,
# and a session takes one record at a time; in cleartext the kernel is asked
# between two pieces whether the daemon has read the first.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use File::Basename qw(basename);
use MIME::Base64;
use Msad;
use Test::More;

my $d = Msad->new(frontend_workers => 1, level => 'notice');
my $u = $d->account(0);
my %word = (me => $u->{address}, user64 => encode_base64($u->{name}, ''),
    password64 => encode_base64($u->{password}, ''));
# Where each run is a login, not every octet is a place to cut at.
my $dear = 7;

sub octets {
	my ($text) = @_;
	my $end = $text =~ s/\\c\z// ? '' : "\r\n";
	$text =~ s/%(me|\w+64)/$word{$1}/g;
	$text =~ s/\\(r|n|t|0|x[0-9a-f]{2})/eval "\"\\$1\""/ge;
	return "$text$end";
}

sub dialogue {
	my ($path) = @_;
	my %d = (name => basename($path, '.txt'), in => '', out => [], mode => '',
	    needs => '');
	my $chunk;
	for my $l (split(/\n/, slurp($path))) {
		next if $l =~ /^#/;
		if ($l =~ /^@ needs (\S+)/) {
			$d{needs} = $1;
		} elsif ($l =~ /^@ (\w+)/) {
			$d{mode} = $1;
		} elsif ($l =~ /^< (.*)/) {
			push @{ $d{out} }, $1;
		} elsif ($l eq '{') {
			$chunk = '';
		} elsif ($l eq '}') {
			my $n = length $chunk;
			$d{in} =~ s/%size/$n/;
			$d{in} .= $chunk;
			$chunk = undef;
		} elsif ($l =~ /^> ?(.*)/) {
			my $o = octets($1);
			defined $chunk ? ($chunk .= $o) : ($d{in} .= $o);
		} else {
			die "$path: $l\n";
		}
	}
	return \%d;
}

# Has the daemon read all that was sent on this connection? By ::1, since
# there the kernel's table is short.
sub drained {
	my ($c) = @_;
	my $peer = sprintf('%s01000000:%04X', '0' x 24,
	    $c->{port} //= $c->{sock}->sockport);
	my ($unread) = slurp('/proc/net/tcp6') =~
	    /^ *\d+: \S+ \Q$peer\E \S+ [0-9A-F]{8}:([0-9A-F]{8})/m;
	return !defined $unread || $unread eq '0' x 8;	# or it has closed
}

sub feed {
	my ($c, @pieces) = @_;
	while (@pieces) {
		$c->send(shift @pieces) or return;
		next if $c->{tls} || !@pieces;
		my $end = time + 20;
		until (drained($c) || time > $end) {
			select(undef, undef, undef, 0.0002);
		}
	}
}

my ($kept, $used, $keywords) = (undef, 0, '');
sub connection {
	my ($mode) = @_;
	return $d->client(host => '::1', tls => 'none') if $mode eq 'clear';
	return $d->client(host => '::1', tls => 'tls', ehlo => 0) if $mode eq 'tls';
	return $d->session(0, host => '::1', tls => 'tls') if $mode eq 'login';
	if (!$kept || ++$used > 9) {	# with an error each: 10 are allowed
		$kept->quit if $kept;
		$kept = $d->session(0, host => '::1', tls => 'tls');
		$used = 1;
	}
	return $kept;
}

# What is said to these pieces, as one line.
sub run_once {
	my ($dlg, @pieces) = @_;
	my $c = connection($dlg->{mode}) or return 'no connection';
	feed($c, @pieces);
	my @got;
	for (@{ $dlg->{out} }) {
		my $r = $c->reply;
		push @got, $r->{enh} eq '' ? $r->{code} : "$r->{code} $r->{enh}";
		last if $r->{code} == 0;
	}
	if ($dlg->{mode} ne '') {
		push @got, 'more: ' . $c->{in} if !$c->closed;
		$c->close;
	} elsif ($c->{in} ne '') {
		push @got, "more: $c->{in}";
	}
	$kept = undef if $dlg->{mode} eq '' && @got != @{ $dlg->{out} };
	return join(', ', @got);
}

# The messages that have come, without what differs each time.
sub box {
	my %m;
	for my $m ($d->mails) {
		$m =~ s/\A(?:Return-Path:.*\n)?Received: .*\n(?:[ \t].*\n)*//;
		$m{$m}++;
	}
	return %m;
}

sub pieces {
	my ($in, $n) = @_;
	return unpack("(a$n)*", $in);
}

{
	my $c = $d->client;
	$keywords = $c->cmd('EHLO x.example')->{text};
	$c->quit;
}

for my $path (glob("$FindBin::Bin/dialogues/*.txt")) {
	my $dlg = dialogue($path);
	my $name = $dlg->{name};
	SKIP: {
		skip("$name: $dlg->{needs} is not listed", 1)
		    if $dlg->{needs} ne '' && $keywords !~ /^250.\Q$dlg->{needs}\E\b/m;
		subtest $name => sub {
			my $in = $dlg->{in};
			my $want = join(', ', @{ $dlg->{out} });
			unlink(glob("$d->{dir}/box/new/*"));
			is(run_once($dlg, $in), $want, "$name: in one piece");
			ok(wait_for { !$d->queue }, "$name: delivered");
			my %mail = box();
			unlink(glob("$d->{dir}/box/new/*"));
			my ($runs, %said) = (0);
			my $by = $dlg->{mode} =~ /^(login|tls)$/ ? $dear : 1;
			for (my $at = 1; $at < length $in; $at += $by) {
				my $r = run_once($dlg, substr($in, 0, $at),
				    substr($in, $at));
				push @{ $said{$r} }, $at;
				$runs++;
			}
			for my $n (1, 2, 3, 7, 16, 61) {
				my $r = run_once($dlg, pieces($in, $n));
				push @{ $said{$r} }, "pieces of $n";
				$runs++;
			}
			is_deeply([keys %said], [$want],
			    "R2920-3.2-b, R2920-3.2-a $name: $runs ways, the same replies")
			    or diag(map { "$_: @{ $said{$_} }[0]\n" } sort keys %said);
			ok(wait_for { !$d->queue }, "$name: all delivered");
			my %all = box();
			is_deeply([sort keys %all], [sort keys %mail],
			    "R2920-3.2-b $name: and the same mail");
			is_deeply(\%all, { map { $_ => $mail{$_} * $runs } keys %mail },
			    "R2920-3.2-b $name: as often as it was sent");
			unlink(glob("$d->{dir}/box/new/*"));
		};
	}
}
$kept->quit if $kept;

$d->done;
done_testing;
