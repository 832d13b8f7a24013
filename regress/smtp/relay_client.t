# The relay's SMTP client, Maildir writer and resolver against scripted next
# hops, by h_relay, which plays msad and the queue to the real programs in
# their real sandbox. Each case is a conversation and what the queue is told.
use strict;
use warnings;
use FindBin;
use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL;
use POSIX ();
use Socket ();
use Test::More;

my $build = abs_path($ENV{MSAD_BUILD} // "$FindBin::Bin/../../build");
plan skip_all => 'needs root' if $> != 0;
my (undef, undef, $uid, $gid) = getpwnam('_msadr');
plan skip_all => 'no user _msadr: make install-users' unless defined $gid;

my $dir = tempdir(CLEANUP => 1);
mkdir "$dir/empty";
chmod 0755, $dir, "$dir/empty";
my @pids;
$SIG{PIPE} = 'IGNORE';
END { kill 'TERM', @pids if @pids; }

sub spew {
	my ($path, $text) = @_;
	open(my $f, '>:raw', $path) or die "$path: $!";
	print $f $text;
	close($f);
	return $path;
}

sub slurp {
	my ($path) = @_;
	open(my $f, '<:raw', $path) or return '';
	local $/;
	return scalar(<$f>) // '';
}

my $text = "From: a\@example.org\r\nSubject: x\r\n\r\n.dot\r\n" .
    ("line\r\n" x 50) . "..\r\n.\r\nend\r\n";
my $message = spew("$dir/message", $text);

# The log of a next hop, when all its connections have ended.
sub told_to {
	my ($path) = @_;
	my $l;
	for (1 .. 500) {
		$l = slurp($path);
		last if (() = $l =~ /^end$/mg) == (() = $l =~ /^connection$/mg);
		select(undef, undef, undef, 0.01);
	}
	$l =~ s/^end\n//mg;
	return $l;
}

# --- a scripted next hop ---

package Peer {
	sub say {
		my ($p, @lines) = @_;
		syswrite($p->{s}, join('', map { "$_\r\n" } @lines));
	}
	sub raw { my ($p, $octets) = @_; syswrite($p->{s}, $octets); }
	sub log {
		my ($p, $line) = @_;
		print {$p->{log}} $line;
	}
	# A line from the client without CRLF; undef at the end.
	sub get {
		my ($p) = @_;
		my $end;
		while (($end = index($p->{in}, "\r\n")) < 0) {
			my $n = sysread($p->{s}, $p->{in}, 65536,
			    length $p->{in});
			if (!$n) {
				$p->log("EOF\n");
				return undef;
			}
		}
		my $line = substr($p->{in}, 0, $end);
		substr($p->{in}, 0, $end + 2) = '';
		$p->log("C: $line\n");
		return $line;
	}
	# Get a line and answer it.
	sub step {
		my ($p, @reply) = @_;
		my $line = $p->get;
		return undef unless defined $line;
		$p->say(@reply);
		return $line;
	}
	# Nothing more has come: the client waits for us.
	sub waits {
		my ($p) = @_;
		my $more = $p->{in} ne '' ||
		    IO::Select->new($p->{s})->can_read(0.05);
		$p->log($more ? "EARLY\n" : "waits\n");
	}
	sub data {
		my ($p) = @_;
		my $d = '';
		while (defined(my $l = do { local $p->{log} = $p->{null};
		    $p->get })) {
			if ($l eq '.') {
				$p->log("DATA " . length($d) . "\n");
				main::spew($p->{data}, $d);
				return $d;
			}
			$l =~ s/\A\.//;
			$d .= "$l\r\n";
		}
		$p->log("CUT\n");
		return undef;
	}
	sub tls {
		my ($p, %o) = @_;
		IO::Socket::SSL->start_SSL($p->{s}, SSL_server => 1,
		    SSL_cert_file => "$dir/$o{cert}.pem",
		    SSL_key_file => "$dir/$o{cert}.key") or
		    $p->log("TLS failed\n"), return;
		$p->log("TLS\n");
	}
	sub greet {
		my ($p, @caps) = @_;
		$p->say('220 next.hop.test ESMTP');
		my @lines = ('next.hop.test', @caps);
		my $last = pop @lines;
		$p->step((map { "250-$_" } @lines), "250 $last");
	}
	# Take messages until QUIT.
	sub take {
		my ($p, $max) = @_;
		while (defined(my $l = $p->get)) {
			if ($l =~ /\ADATA/) {
				$p->say('354 go');
				$p->data // return;
				$p->say('250 2.0.0 taken');
				return if $max && --$max == 0;
			} elsif ($l eq 'QUIT') {
				$p->say('221 bye');
				return;
			} else {
				$p->say('250 2.1.0 ok');
			}
		}
	}
}

package main;

my $serial = 0;

# Run code for each connection in a process of its own; the port and the log.
sub next_hop {
	my ($code, $addr) = @_;
	my $l = IO::Socket::INET->new(Listen => 50, LocalPort => 0,
	    LocalAddr => $addr // '127.0.0.1', ReuseAddr => 1) or die "$!";
	my $path = "$dir/log" . ++$serial;
	my $pid = fork // die;
	if ($pid == 0) {
		@pids = ();
		$SIG{CHLD} = 'IGNORE';
		for (my $n = 1; my $s = $l->accept; $n++) {
			next if fork;
			open(my $log, '>>:raw', $path);
			open(my $null, '>', '/dev/null');
			$log->autoflush(1);
			print $log "connection\n";
			my $p = bless { s => $s, in => '', log => $log,
			    data => "$path.data", null => $null }, 'Peer';
			eval { $code->($p, $n) };
			print $log "died: $@" if $@;
			close $s;
			print $log "end\n";
			POSIX::_exit(0);
		}
		POSIX::_exit(0);
	}
	push @pids, $pid;
	return ($l->sockport, $path);
}

sub conf {
	my ($relay) = @_;
	return spew("$dir/conf" . ++$serial, "hostname \"mail.test\"\n" .
	    "relay \"r\" { $relay }\nmatch from auth sender any relay \"r\"\n");
}

# Run h_relay; its lines, and the results in short: "index outcome code status".
sub relay {
	my ($conf, %o) = @_;
	my $file = conf($conf);
	my @cmd = ("$build/h_relay", '-L', $build, '-c', $file, '-r',
	    $o{root} // "$dir/empty", '-u', $uid, '-g', $gid,
	    @{$o{opts} // []}, 'r', $o{from} // 's@example.org',
	    $o{file} // $message, @{$o{to} // ['r@example.net']});
	my $pid = open(my $p, '-|', @cmd) // die;
	local $SIG{ALRM} = sub { kill 'TERM', $pid; };
	alarm 30;
	my @lines = <$p>;
	close $p;
	my $status = $?;
	alarm 0;
	chomp @lines;
	my @r = map { [split /\t/] } @lines;
	return { lines => \@lines, status => $status,
	    text => join("\n", @lines),
	    short => join(', ', map { $_->[0] eq 'done' ? "done $_->[1]" :
	    $_->[0] =~ /^\d/ ? "$_->[0] $_->[1] $_->[2] $_->[3]" : () } @r) };
}

sub told {
	my ($r, $want, $name, $like) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $ok = $r->{short} eq $want && $r->{status} == 0 &&
	    (!defined $like || $r->{text} =~ $like);
	ok($ok, $name) or diag("wanted: $want\n$r->{text}\n$r->{status}");
}

my @caps = ('PIPELINING', 'SIZE 1000000', '8BITMIME');

subtest 'a pipelined transaction' => sub {
	my ($port, $log) = next_hop(sub {
		my ($p) = @_;
		$p->greet(@caps);
		$p->take;
	});
	my $host = "host \"127.0.0.1\" port $port";
	told(relay($host, to => ['a@x', 'b@x'], opts => ['-8']),
	    '0 0 250 2.0.0, 1 0 250 2.0.0, done 0', 'both delivered',
	    qr/127\.0\.0\.1\[127\.0\.0\.1\]:$port\t\t2\.0\.0 taken/);
	my $size = length $text;
	is(told_to($log), "connection\nC: EHLO mail.test\n" .
	    "C: MAIL FROM:<s\@example.org> SIZE=$size BODY=8BITMIME\n" .
	    "C: RCPT TO:<a\@x>\nC: RCPT TO:<b\@x>\nC: DATA\n" .
	    "DATA $size\nC: QUIT\n", 'R1870-6.3-a, one message for both');
	is(slurp("$log.data"), $text, 'R5321-4.5.2-a the same octets');
	told(relay($host, opts => ['-b']), '0 0 250 2.0.0, done 0',
	    'content in two descriptors');
	is(slurp("$log.data"), $text, 'the same octets');
	my $big = $text . ("." . "x" x 68 . "\r\n") x 40000;
	told(relay("host \"127.0.0.1\" port $port",
	    file => spew("$dir/big", $big)), '0 2 0 5.3.4, done 0',
	    'R1870-6.3-a larger than the next hop takes');
};

subtest 'large content' => sub {
	my ($port, $log) = next_hop(sub {
		my ($p) = @_;
		$p->greet('PIPELINING');
		$p->take;
	});
	my $big = $text . ("." . "x" x 68 . "\r\n") x 60000 . "no end";
	told(relay("host \"127.0.0.1\" port $port",
	    file => spew("$dir/big", $big)), '0 0 250 2.0.0, done 0', 'taken');
	ok(slurp("$log.data") eq "$big\r\n", 'the same octets');
};

subtest 'without PIPELINING' => sub {
	my ($port, $log) = next_hop(sub {
		my ($p) = @_;
		$p->greet('SIZE');
		for (1 .. 4) { $p->get; $p->waits; $p->say('250 ok'); }
		$p->get; $p->waits; $p->say('354 go');
		$p->data; $p->say('250 ok');
		$p->take;
	});
	told(relay("host \"127.0.0.1\" port $port", to => ['a@x', 'b@x',
	    'c@x']), '0 0 250 2.0.0, 1 0 250 2.0.0, 2 0 250 2.0.0, done 0',
	    'delivered');
	unlike(told_to($log), qr/EARLY/, 'R2920-3.1-a one command at a time');
	is(() = told_to($log) =~ /waits/g, 5, 'each was awaited');
};

subtest 'results by recipient' => sub {
	for my $pipe ([], ['PIPELINING']) {
		my ($port, $log) = next_hop(sub {
			my ($p) = @_;
			$p->greet(@$pipe);
			$p->step('250 ok');
			$p->step('550-5.1.1 no such', '550 5.1.1 user');
			$p->step('251 2.1.5 forwarded');
			$p->step('450 busy');
			$p->step('553 4.7.1 contradiction');
			$p->step('354 go');
			$p->data;
			$p->say('250 queued');
			$p->take;
		});
		told(relay("host \"127.0.0.1\" port $port", to => ['a@x',
		    'b@x', 'c@x', 'd@x']), '0 2 550 5.1.1, 2 1 450 4.0.0, ' .
		    '3 2 553 5.0.0, 1 0 250 2.0.0, done 0',
		    'R3463-3-a mixed, ' . (@$pipe ? 'pipelined' : 'one by one'),
		    qr/5\.1\.1 no such 5\.1\.1 user/);
	}
};

subtest 'too many recipients for one transaction' => sub {
	for my $pipe ([], ['PIPELINING']) {
		my ($port, $log) = next_hop(sub {
			my ($p) = @_;
			$p->greet(@$pipe);
			$p->step('250 ok');
			$p->step('250 ok');
			$p->step('452 4.5.3 too many');
			$p->step('552 too many');
			$p->step('354 go'); $p->data; $p->say('250 one');
			$p->step('250 ok');
			$p->step('250 ok');
			$p->step('550 no');
			$p->step('354 go'); $p->data; $p->say('250 two');
			$p->take;
		});
		told(relay("host \"127.0.0.1\" port $port", to => ['a@x',
		    'b@x', 'c@x']), '0 0 250 2.0.0, 2 2 550 5.0.0, ' .
		    '1 0 250 2.0.0, done 0', 'R5321-4.5.3.1.10-a');
		is(() = told_to($log) =~ /^connection/mg, 1, 'at once, on the ' .
		    'same connection');
	}
};

subtest 'no recipient accepted' => sub {
	my ($port, $log) = next_hop(sub {
		my ($p) = @_;
		$p->greet('PIPELINING');
		$p->step('250 ok');
		$p->step('550 5.1.1 no');
		$p->step('354 go');
		is_dot($p);
		$p->say('554 no valid recipients');
		$p->take;
	});
	sub is_dot { my ($p) = @_; $p->get; }
	told(relay("host \"127.0.0.1\" port $port", opts => ['-n', 2]),
	    '0 2 550 5.1.1, done 0, 0 0 250 2.0.0, done 0',
	    'failed, and the session goes on');
	like(told_to($log), qr/^C: DATA\nC: \.\nC: MAIL/m,
	    'R2920-3.1-a a lone dot after 354');

	($port, $log) = next_hop(sub {
		my ($p) = @_;
		$p->greet();
		$p->step('250 ok');
		$p->step('450 4.2.1 later');
		$p->take;
	});
	told(relay("host \"127.0.0.1\" port $port", opts => ['-n', 2]),
	    '0 1 450 4.2.1, done 0, 0 0 250 2.0.0, done 0', 'one by one');
	like(told_to($log), qr/^C: RCPT[^\n]*\nC: RSET\nC: MAIL/m,
	    'no DATA without recipients; RSET before the next MAIL');
};

subtest 'MAIL, DATA and the message refused' => sub {
	for my $pipe ([], ['PIPELINING']) {
		my $name = @$pipe ? 'pipelined' : 'one by one';
		my ($port) = next_hop(sub {
			my ($p) = @_;
			$p->greet(@$pipe);
			$p->step('550 5.7.1 not you');
			if (@$pipe) {
				$p->step('503 no MAIL') for 1 .. 3;
			}
			$p->take;
		});
		told(relay("host \"127.0.0.1\" port $port", to => ['a@x',
		    'b@x'], opts => ['-n', 2]), '0 2 550 5.7.1, 1 2 550 ' .
		    '5.7.1, done 0, 0 0 250 2.0.0, 1 0 250 2.0.0, done 0',
		    "MAIL, $name");
		($port) = next_hop(sub {
			my ($p) = @_;
			$p->greet(@$pipe);
			$p->step('250 ok') for 1 .. 2;
			$p->step('451 4.3.0 trouble');
			$p->take;
		});
		told(relay("host \"127.0.0.1\" port $port", opts => ['-n',
		    2]), '0 1 451 4.3.0, done 0, 0 0 250 2.0.0, done 0',
		    "DATA, $name");
		($port) = next_hop(sub {
			my ($p) = @_;
			$p->greet(@$pipe);
			$p->step('250 ok') for 1 .. 2;
			$p->step('354 go');
			$p->data;
			$p->say('552 5.2.2 full');
			$p->take;
		});
		told(relay("host \"127.0.0.1\" port $port", opts => ['-n',
		    2]), '0 2 552 5.2.2, done 0, 0 0 250 2.0.0, done 0',
		    "message, $name");
	}
};

subtest 'connections lost' => sub {
	my ($port) = next_hop(sub {
		my ($p) = @_;
		$p->greet(@caps);
		$p->step('250 ok') for 1 .. 2;
		$p->step('354 go');
		$p->data;
	});
	told(relay("host \"127.0.0.1\" port $port"), '0 1 0 4.4.2, done 0',
	    'after the dot', qr/waiting for the answer/);
	($port) = next_hop(sub {
		my ($p) = @_;
		$p->greet(@caps);
		$p->step('250 ok');
	});
	told(relay("host \"127.0.0.1\" port $port"), '0 1 0 4.4.2, done 0',
	    'in the envelope');
	($port) = next_hop(sub {
		my ($p) = @_;
		$p->greet(@caps);
		$p->get;
		$p->say('421 4.3.2 going down');
	});
	told(relay("host \"127.0.0.1\" port $port"), '0 1 421 4.3.2, done 0',
	    '421 to MAIL');
	($port) = next_hop(sub { $_[0]->say('554 5.3.2 no service') });
	told(relay("host \"127.0.0.1\" port $port"), '0 1 554 4.3.2, done 1',
	    'greeting 554');
	($port) = next_hop(sub { });
	told(relay("host \"127.0.0.1\" port $port"), '0 1 0 4.4.2, done 1',
	    'no greeting', qr/waiting for the greeting/);
	my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
	    LocalPort => 0, Proto => 'tcp', Type => Socket::SOCK_STREAM());
	told(relay('host "127.0.0.1" port ' . $closed->sockport),
	    '0 1 0 4.4.1, done 1', 'refused', qr/Connection refused/);
};

subtest 'connections are used again' => sub {
	my ($port, $log) = next_hop(sub { $_[0]->greet(@caps); $_[0]->take });
	my $r = relay("host \"127.0.0.1\" port $port", opts => ['-n', 20]);
	is($r->{short}, join(', ', ('0 0 250 2.0.0, done 0') x 20), 'taken');
	is(() = told_to($log) =~ /^connection/mg, 1, 'one connection');
	is(() = told_to($log) =~ /^C: QUIT/mg, 1, 'and a QUIT');

	# it closes, or says 421, between messages: nobody is told
	for my $last (undef, '421 4.4.2 idle') {
		($port, $log) = next_hop(sub {
			my ($p) = @_;
			$p->greet(@caps);
			$p->take(2);
			if (defined $last) { $p->get; $p->say($last) }
		});
		$r = relay("host \"127.0.0.1\" port $port", opts =>
		    ['-n', 6]);
		is($r->{short}, join(', ', ('0 0 250 2.0.0, done 0') x 6),
		    'a fresh connection instead');
		cmp_ok(scalar(() = told_to($log) =~ /^connection/mg), '>=', 3,
		    'three at least');
	}
	($port, $log) = next_hop(sub { $_[0]->greet(@caps); $_[0]->take });
	relay("host \"127.0.0.1\" port $port concurrency 1", opts => ['-n',
	    20, '-w', 20]);
	is(() = told_to($log) =~ /^connection/mg, 1, 'concurrency 1');
};

subtest 'a next hop that takes two connections' => sub {
	my ($port, $log) = next_hop(sub {
		my ($p, $n) = @_;
		return $p->say('421 4.7.0 too many') if $n > 2;
		$p->greet(@caps);
		$p->take;
	});
	my $r = relay("host \"127.0.0.1\" port $port", opts => ['-n', 50,
	    '-w', 10]);
	like($r->{text}, qr/^sum\t50\t0\t0\t/m, 'the others do without') or
	    diag($r->{text});
};

subtest 'reload' => sub {
	my ($a, $alog) = next_hop(sub { $_[0]->greet(@caps); $_[0]->take });
	my ($b, $blog) = next_hop(sub { $_[0]->greet(@caps); $_[0]->take });
	my $r = relay("host \"127.0.0.1\" port $a concurrency 3", opts =>
	    ['-n', 40, '-w', 8, '-x', conf("host \"127.0.0.1\" port $b")]);
	like($r->{text}, qr/^sum\t40\t0\t0\t/m, 'nothing fails') or
	    diag($r->{text});
	is($r->{status}, 0, 'exit');
	my $na = () = told_to($alog) =~ /^DATA/mg;
	my $nb = () = told_to($blog) =~ /^DATA/mg;
	is($na + $nb, 40, 'each message once');
	cmp_ok($na, '>=', 20, 'to the old next hop');
	cmp_ok($nb, '>=', 10, 'then to the new one');
	is(() = told_to($alog) =~ /^C: QUIT/mg,
	    () = told_to($alog) =~ /^connection/mg,
	    'old connections say QUIT');
};

subtest 'a hostile next hop (X-nh-1)' => sub {
	my %case = (
	    'a 1xx greeting' => sub { $_[0]->say('150 wait') },
	    'no code' => sub { $_[0]->say('hello') },
	    'endless continuation' => sub {
		my ($p) = @_;
		for (1 .. 20000) { $p->raw("220-abcdefgh\r\n") or last }
	    },
	    'a line of 1 MiB' => sub {
		$_[0]->raw('220 ' . 'x' x 1048576 . "\r\n") },
	    'a reply before the command' => sub {
		$_[0]->say('220 a', '250 b'); $_[0]->get },
	    'changing codes' => sub {
		$_[0]->say('220 a'); $_[0]->step('250-a', '251 b') },
	    'NULs' => sub { $_[0]->raw("\0" x 5000) },
	    '250 to STARTTLS' => sub {
		$_[0]->greet('STARTTLS'); $_[0]->step('250 ok'); $_[0]->take },
	    'text behind 220' => sub {
		my ($p) = @_;
		$p->greet('STARTTLS');
		$p->step('220 go', '250-evil', '250 AUTH PLAIN');
		$p->take;
	    },
	);
	for my $name (sort keys %case) {
		my ($port, $log) = next_hop($case{$name});
		my $tls = $name =~ /STARTTLS|behind/ ? 'starttls' : '';
		my $r = relay("host \"127.0.0.1\" port $port $tls");
		like($r->{short}, qr/^0 1 \d+ 4\.\d\.\d, done 1$/, $name) or
		    diag($r->{text});
		is($r->{status}, 0, 'and the relay lives');
		unlike(told_to($log), qr/^C: MAIL/m, 'no mail was sent');
	}
	my ($port) = next_hop(sub {
		my ($p) = @_;
		$p->greet(@caps);
		$p->get;
		$p->say('250 a', '250 b', '250 c', '250 d', '250 e');
		$p->take;
	});
	like(relay("host \"127.0.0.1\" port $port")->{short},
	    qr/^0 1 \d+ 4\.5\.0, done 0/, 'more replies than commands');
};

subtest 'HELO, loops, 8-bit' => sub {
	my ($port, $log) = next_hop(sub {
		my ($p) = @_;
		$p->say('220 old');
		$p->step('502 what');
		$p->step('250 hello');
		$p->take;
	});
	told(relay("host \"127.0.0.1\" port $port", opts => ['-8']),
	    '0 0 250 2.0.0, done 0', 'HELO after 502; 7-bit content passes');
	like(told_to($log), qr/C: HELO mail.test\nC: MAIL FROM:<s\@example.org>\n/,
	    'and no parameters');
	my $eight = spew("$dir/8bit", "Subject: x\r\n\r\n\xc3\xa4\r\n");
	told(relay("host \"127.0.0.1\" port $port", opts => ['-8'],
	    file => $eight), '0 2 0 5.6.3, done 0', 'R6152-3-b 8-bit fails');
	($port) = next_hop(sub { $_[0]->say('220 MAIL.test ESMTP');
	    $_[0]->take });
	told(relay("host \"127.0.0.1\" port $port"), '0 2 0 5.4.6, done 0',
	    'R5321-6.3-b greets with our name');
	($port) = next_hop(sub { $_[0]->say('220 x');
	    $_[0]->step('250-mail.test', '250 SIZE'); $_[0]->take });
	told(relay("host \"127.0.0.1\" port $port"), '0 2 0 5.4.6, done 0',
	    'answers EHLO with our name');
	($port, $log) = next_hop(sub { $_[0]->greet(@caps); $_[0]->take });
	for my $bad ("a\nb\r\n", "a\rb\r\n", "\r\n.\n", "x\r") {
		told(relay("host \"127.0.0.1\" port $port",
		    file => spew("$dir/bare", "X: y\r\n\r\n$bad")),
		    '0 2 0 5.6.0, done 0', 'R5321-2.3.8-a bare CR or LF');
	}
	unlike(told_to($log), qr/^DATA/m, 'no message was completed');
	told(relay("host \"127.0.0.1\" port $port", from => ''),
	    '0 0 250 2.0.0, done 0', 'the null reverse-path');
	like(told_to($log), qr/^C: MAIL FROM:<> SIZE/m, 'as <>');
};

# --- TLS and logins ---

sub sh { system('sh', '-c', "cd $dir && ($_[0]) >/dev/null 2>&1") == 0 or
    die $_[0]; }
# a bundle of two: the one that counts comes last
sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes " .
    "-keyout $_.key -out $_.pem -days 2 -subj /CN=$_") for 'decoy', 'ca';
sh('cat decoy.pem ca.pem >bundle.pem');
for (['good', 'smart.test'], ['other', 'other.test']) {
	my ($name, $dns) = @$_;
	spew("$dir/$name.ext", "subjectAltName=DNS:$dns\n");
	sh("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes " .
	    "-keyout $name.key -out $name.csr -subj /CN=$dns && openssl x509 " .
	    "-req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial " .
	    "-out $name.pem -days 2 -extfile $name.ext");
}
my $hosts = spew("$dir/hosts", "# hosts\n127.0.0.9 smart.test\n" .
    "127.0.0.1\tSMART.test alias.test # comment\n::1 v6.test\n" .
    "127.0.0.9 alias.test\n");
my @with_ca = ('-C', "$dir/bundle.pem", '-H', $hosts);

sub tls_hop {
	my ($cert, $implicit, $code) = @_;
	return next_hop(sub {
		my ($p) = @_;
		if (!$implicit) {
			$p->greet('STARTTLS');
			$p->step('220 go');
		}
		$p->tls(cert => $cert) or return;
		$p->say('220 next.hop.test ESMTP') if $implicit;
		$code ? $code->($p) : do {
			$p->step('250-next', '250-PIPELINING', '250 SIZE');
			$p->take;
		};
	});
}

subtest 'TLS' => sub {
	for my $implicit (0, 1) {
		my $word = $implicit ? 'tls' : 'starttls';
		my ($port, $log) = tls_hop('good', $implicit);
		told(relay("host \"smart.test\" port $port $word verify",
		    opts => [@with_ca]), '0 0 250 2.0.0, done 0',
		    "$word verified; the second address is tried",
		    qr/smart\.test\[127\.0\.0\.1\]:$port\tTLSv1\.3 \S+ verified/);
		like(told_to($log), qr/TLS\nC: EHLO mail\.test\nC: MAIL/,
		    'EHLO again under TLS') unless $implicit;
		told(relay("host \"127.0.0.1\" port $port $word"),
		    '0 0 250 2.0.0, done 0', "$word without verification",
		    qr/TLSv1\.3 \S+ unverified/);
		told(relay("host \"alias.test\" port $port $word verify",
		    opts => [@with_ca]), '0 1 0 4.7.5, done 1',
		    'R7817-3-a the wrong name, and that is what is told ' .
		    'though the second address refuses',
		    qr/alias\.test\[127\.0\.0\.1\].*name .* not present/);
		sh('openssl req -x509 -newkey ec -pkeyopt ' .
		    'ec_paramgen_curve:P-256 -nodes -keyout self.key -out ' .
		    'self.pem -days 2 -subj /CN=smart.test') if !-e
		    "$dir/self.pem";
		($port, $log) = tls_hop('self', $implicit);
		told(relay("host \"smart.test\" port $port $word verify",
		    opts => [@with_ca]), '0 1 0 4.7.5, done 1',
		    'a chain to nowhere', qr/certificate/);
	}
	my ($port, $log) = next_hop(sub { $_[0]->greet('SIZE');
	    $_[0]->take });
	told(relay("host \"127.0.0.1\" port $port starttls"),
	    '0 1 0 4.7.4, done 1', 'STARTTLS not offered: no mail');
	unlike(told_to($log), qr/^C: MAIL/m, 'none in clear');
	told(relay("host \"127.0.0.1\" port $port tls"),
	    '0 1 0 4.7.5, done 1', 'TLS to a plaintext port');
	like(relay("host \"smart.test\" port $port tls verify")->{text},
	    qr/^refused\t.*no CA/, 'verify without certificates is refused');
};

subtest 'logins' => sub {
	my @login = ('-U', 'user', '-P', 'sec ret');
	my ($port, $log) = tls_hop('good', 1, sub {
		my ($p) = @_;
		$p->step('250-next', '250 AUTH LOGIN PLAIN');
		$p->step('235 2.7.0 ok');
		$p->take;
	});
	told(relay("host \"smart.test\" port $port tls verify", opts =>
	    [@with_ca, @login]), '0 0 250 2.0.0, done 0', 'PLAIN');
	like(told_to($log), qr/^C: AUTH PLAIN AHVzZXIAc2VjIHJldA==\n/m,
	    'user and password');
	like(told_to($log), qr/^C: MAIL FROM:<s\@example.org> AUTH=<>$/m,
	    'R4954-5-b AUTH=<>');
	($port, $log) = tls_hop('good', 1, sub {
		my ($p) = @_;
		$p->step('250-next', '250 AUTH=LOGIN');
		$p->step('334 VXNlcm5hbWU6');
		$p->step('334 UGFzc3dvcmQ6');
		$p->step('235 ok');
		$p->take;
	});
	told(relay("host \"127.0.0.1\" port $port tls", opts => [@login]),
	    '0 0 250 2.0.0, done 0', 'LOGIN');
	like(told_to($log), qr/^C: AUTH LOGIN\nC: dXNlcg==\nC: c2VjIHJldA==\n/m,
	    'user, then password');
	($port, $log) = next_hop(sub {
		my ($p) = @_;
		$p->greet('AUTH PLAIN');
		$p->step('535 5.7.8 bad credentials');
		$p->take;
	});
	told(relay("host \"127.0.0.1\" port $port", opts => [@login]),
	    '0 1 535 4.7.8, done 1', 'a refused login waits');
	($port, $log) = next_hop(sub { $_[0]->greet('SIZE'); $_[0]->take });
	told(relay("host \"127.0.0.1\" port $port", opts => [@login]),
	    '0 1 0 4.7.0, done 1', 'no mechanism', qr/neither AUTH/);

	# an address of this host that is not loopback
	my ($own) = `ip -4 -o addr show scope global 2>/dev/null` =~
	    /inet ([\d.]+)/;
	SKIP: {
		skip 'no address but loopback', 2 unless $own;
		($port, $log) = next_hop(sub { $_[0]->greet('AUTH PLAIN');
		    $_[0]->take }, $own);
		told(relay("host \"$own\" port $port", opts => [@login]),
		    '0 1 0 4.7.0, done 1', 'no password in clear',
		    qr/not sent without TLS/);
		unlike(told_to($log), qr/AUTH/, 'none was sent');
	}
};

# --- names ---

subtest 'the resolver' => sub {
	my ($port) = next_hop(sub { $_[0]->greet(@caps); $_[0]->take });
	told(relay("host \"Alias.Test.\" port $port", opts => ['-H', $hosts]),
	    '0 0 250 2.0.0, done 0', 'the hosts file');

	my $dns = IO::Socket::INET->new(LocalAddr => '127.53.53.53',
	    LocalPort => 53, Proto => 'udp') or
	    plan skip_all => "no port 53: $!";
	my $pid = fork // die;
	if ($pid == 0) {
		@pids = ();
		while (defined $dns->recv(my $q, 4096)) {
			my ($id) = unpack('n', $q);
			$q =~ /\A.{12}(.*?\0)(..)(..)/s or next;
			my ($name, $type) = (lc $1, unpack('n', $2));
			my $question = "$1$2$3";
			my @rr;
			my $rcode = $name =~ /none/ ? 3 : $name =~ /fail/ ?
			    2 : 0;
			push @rr, "\xc0\x0c" . pack('nnNn', 1, 1, 300, 4) .
			    pack('C4', 127, 0, 0, $_)
			    for $name =~ /real/ && $type == 1 ? (9, 1) : ();
			$dns->send(pack('nnnnnn', $id, 0x8180 | $rcode, 1,
			    scalar @rr, 0, 0) . $question . join('', @rr))
			    unless $name =~ /silent/;
		}
		POSIX::_exit(0);
	}
	push @pids, $pid;
	my @resolv = ('-R', spew("$dir/resolv", "search x\nnameserver " .
	    "127.53.53.53\n"), '-H', $hosts);
	told(relay("host \"real.example\" port $port", opts => [@resolv]),
	    '0 0 250 2.0.0, done 0', 'the DNS: all addresses are tried',
	    qr/real\.example\[127\.0\.0\.1\]/);
	told(relay("host \"none.example\" port $port", opts => [@resolv]),
	    '0 1 0 4.4.4, done 1', 'no such name', qr/no such host name/);
	told(relay("host \"empty.example\" port $port", opts => [@resolv]),
	    '0 1 0 4.4.4, done 1', 'no address', qr/has no address/);
	told(relay("host \"fail.example\" port $port", opts => [@resolv]),
	    '0 1 0 4.4.3, done 1', 'SERVFAIL', qr/not resolved in time/);
	told(relay("host \"silent.example\" port $port", opts => [@resolv]),
	    '0 1 0 4.4.3, done 1', 'silence ends in bounded time');
};

# --- SMTPUTF8, 8-bit content, the null sender ---

my $joerg = "j\xc3\xb6rg";
my $buecher = "b\xc3\xbccher.example";
my $ace = 'xn--bcher-kva.example';

# What such a next hop is told by h_relay, without SIZE and the content.
sub envelopes {
	my ($port, $log) = @_;
	my $l = told_to($log);
	return join('; ', map { s/ SIZE=\d+//r } $l =~ /^C: (MAIL .*|RCPT .*|DATA)$/mg);
}

sub hop_with {
	my @extra = @_;
	return next_hop(sub {
		my ($p) = @_;
		$p->greet('PIPELINING', 'SIZE', @extra);
		$p->take;
	});
}

subtest 'a next hop with SMTPUTF8' => sub {
	my $send = sub {
		my ($want, $name, %o) = @_;
		my ($port, $log) = hop_with('8BITMIME', 'SMTPUTF8', 'DSN');
		my $r = relay("host \"127.0.0.1\" port $port", opts => ['-6'], %o);
		like($r->{short}, qr/\A(?:\d 0 250 2\.0\.0, )+done 0\z/, "$name: delivered")
		    or diag($r->{text});
		is(envelopes($port, $log), $want, $name);
	};
	$send->("MAIL FROM:<$joerg\@x.example> SMTPUTF8; " .
	    'RCPT TO:<a@y.example> ORCPT=rfc822;a@y.example; DATA',
	    'R6531-3.2-b a sender that needs it', from => "$joerg\@x.example", to => ['a@y.example']);
	$send->('MAIL FROM:<s@example.org> SMTPUTF8; ' .
	    "RCPT TO:<a\@$buecher> ORCPT=utf-8;a\@$buecher; " .
	    'RCPT TO:<b@y.example> ORCPT=utf-8;J\x{F6}rg@y.example; DATA',
	    'R6531-3.2-b, R6533-3-a a recipient that needs it',
	    to => ["a\@$buecher", 'b@y.example ORCPT=utf-8;J\x{F6}rg@y.example']);
	$send->('MAIL FROM:<s@example.org> BODY=8BITMIME SMTPUTF8; ' .
	    'RCPT TO:<r@example.net> ORCPT=rfc822;r@example.net; DATA',
	    'R6531-3.2-b headers that need it', opts => ['-6', '-8', '-h']);
	$send->('MAIL FROM:<s@example.org>; RCPT TO:<r@example.net> ' .
	    'ORCPT=rfc822;r@example.net; DATA',
	    'R6531-3.2-b an ASCII message marked SMTPUTF8 is sent without');
};

subtest 'a next hop without SMTPUTF8' => sub {
	my $send = sub {
		my ($told, $want, $name, %o) = @_;
		my ($port, $log) = hop_with(@{ $o{caps} // ['8BITMIME', 'DSN'] });
		told(relay("host \"127.0.0.1\" port $port", opts => ['-6'], %o), $told, $name);
		is(envelopes($port, $log), $want, "$name: what was said");
	};
	$send->('0 2 0 5.6.7, done 0', '', 'R6531-3.2-b a sender that needs it',
	    from => "$joerg\@x.example");
	$send->('0 2 0 5.6.7, 2 2 0 5.6.7, 1 0 250 2.0.0, done 0',
	    'MAIL FROM:<s@example.org>; RCPT TO:<b@y.example> ORCPT=rfc822;b@y.example; DATA',
	    'R6531-3.2-b of the recipients those alone that need it fail',
	    to => ["$joerg\@x.example", 'b@y.example', "$joerg\@$buecher"]);
	$send->('0 2 0 5.6.9, 1 2 0 5.6.9, done 0', '', 'R6531-3.2-b headers that need it',
	    opts => ['-6', '-8', '-h'], to => ['a@x.example', "$joerg\@x.example"]);
	$send->('0 0 250 2.0.0, done 0', 'MAIL FROM:<s@example.org>; RCPT TO:<r@example.net> ' .
	    'ORCPT=rfc822;r@example.net; DATA', 'R6531-3.2-b an ASCII message goes');
	$send->('0 0 250 2.0.0, 1 0 250 2.0.0, done 0',
	    "MAIL FROM:<s\@$ace>; RCPT TO:<a\@$ace> ORCPT=utf-8;a\@b\\x{FC}cher.example; " .
	    "RCPT TO:<b\@$ace> ORCPT=utf-8;B\\x{F6}\@$ace; DATA",
	    'R6531-3.2-c, R6533-3-a A-labels, and ORCPT keeps what was',
	    from => "s\@$buecher", to => ["a\@$buecher", "b\@$buecher ORCPT=utf-8;B\\x{F6}\@$ace"]);
	$send->('0 2 0 5.6.9, done 0', '', 'R6531-3.2-c but not with headers that need SMTPUTF8',
	    from => "s\@$buecher", opts => ['-6', '-h']);
	$send->('0 2 0 5.6.7, done 0', '', 'R6531-3.1-a SMTPUTF8 without 8BITMIME is none',
	    caps => ['SMTPUTF8'], from => "$joerg\@x.example");
	my ($port, $log) = next_hop(sub {
		my ($p) = @_;
		$p->say('220 next.hop.test');
		$p->step('502 what?');
		$p->step('250 next.hop.test');
		$p->take;
	});
	told(relay("host \"127.0.0.1\" port $port", opts => ['-6'],
	    to => ["$joerg\@x.example", "a\@$buecher"]), '0 2 0 5.6.7, 1 0 250 2.0.0, done 0',
	    'R6531-3.2-b one that knows HELO alone');
	$send->('0 0 250 2.0.0, done 0', 'MAIL FROM:<s@example.org>; RCPT TO:<r@example.net>; DATA',
	    'R6533-3-a an ORCPT that its escapes made longer than 500 is left out',
	    to => ['r@example.net ORCPT=utf-8;' . '\x{F6}' x 100]);
};

subtest 'the other addresses of the host' => sub {
	my $two = spew("$dir/two", "127.0.0.1 two.test\n127.0.0.9 two.test\n" .
	    "127.0.0.1 down.test\n127.0.0.8 down.test\n");
	my $hop = sub {
		my %caps = @_;
		return next_hop(sub {
			my ($p) = @_;
			my $at = $p->{s}->sockhost;
			$p->log("at $at\n");
			return unless $caps{$at};
			$p->greet('PIPELINING', 'SIZE', @{ $caps{$at} });
			$p->take;
		}, '0.0.0.0');
	};
	my @o = (opts => ['-6', '-H', $two], from => "$joerg\@x.example");
	my ($port, $log) = $hop->('127.0.0.1' => ['8BITMIME'],
	    '127.0.0.9' => ['8BITMIME', 'SMTPUTF8']);
	told(relay("host \"two.test\" port $port", @o), '0 0 250 2.0.0, done 0',
	    'R6531-3.2-b the second one has it', qr/two\.test\[127\.0\.0\.9\]/);
	is(join(' ', told_to($log) =~ /^at (127\S+)/mg), '127.0.0.1 127.0.0.9',
	    'R6531-3.2-b in order');
	is(join(' ', sort(told_to($log) =~ /^C: (\w+)/mg)),
	    'DATA EHLO EHLO MAIL QUIT QUIT RCPT', 'R6531-3.2-b the first one is left alone');
	($port, $log) = $hop->('127.0.0.1' => ['8BITMIME'], '127.0.0.9' => ['8BITMIME']);
	told(relay("host \"two.test\" port $port", @o), '0 2 0 5.6.7, done 0',
	    'R6531-3.2-b none has it');
	is(join(' ', told_to($log) =~ /^at (\S+)/mg), '127.0.0.1 127.0.0.9',
	    'R6531-3.2-b after both were tried');
	($port, $log) = $hop->('127.0.0.1' => ['8BITMIME']);
	told(relay("host \"two.test\" port $port", @o, to => ["$joerg\@x", 'a@x'],
	    from => 's@example.org'), '0 2 0 5.6.7, 1 0 250 2.0.0, done 0',
	    'R6531-3.2-b the other one is down: the first is taken', qr/two\.test\[127\.0\.0\.1\]/);
	($port, $log) = $hop->('127.0.0.1' => [], '127.0.0.9' => ['8BITMIME']);
	my $file = spew("$dir/8bit", "From: a\@example.org\r\n\r\n\xc3\xa9\r\n");
	told(relay("host \"two.test\" port $port", opts => ['-8', '-H', $two], file => $file),
	    '0 0 250 2.0.0, done 0', 'R6152-3-b the same for 8BITMIME', qr/127\.0\.0\.9/);
	# what needs nothing stays with the first; a connection is not used for more
	told(relay("host \"two.test\" port $port", opts => ['-H', $two]),
	    '0 0 250 2.0.0, done 0', 'what needs nothing takes the first', qr/127\.0\.0\.1\]/);
	my $r = relay("host \"two.test\" port $port concurrency 1",
	    opts => ['-8', '-H', $two, '-n', 20, '-w', 5], file => $file);
	like($r->{text}, qr/^sum\t20\t0\t0\t/m, 'twenty jobs, one connection at a time')
	    or diag($r->{text});
	$r = relay("host \"two.test\" port $port concurrency 1",
	    opts => ['-8', '-a', '-H', $two, '-n', 2, '-w', 2], file => $file);
	like($r->{text}, qr/^sum\t2\t0\t0\t[0-4]\./m,
	    'a job that needs an extension does not wait for a connection to fall idle')
	    or diag($r->{text});
};

subtest '8-bit content that a next hop does not take' => sub {
	my ($port, $log) = hop_with();
	my $type = 'Content-Type: multipart';
	my %m = (
		'text' => ['5.6.3', "\r\n\xc3\xa9\r\n"],
		'a mixed message' => ['5.6.3', "$type/mixed; boundary=b\r\n\r\n--b\r\n\r\n\xe9\r\n--b--\r\n"],
		'signed' => ['5.6.1', "$type/signed; boundary=b;\r\n protocol=\"x/y\"\r\n\r\n--b\r\n" .
		    "\r\n\xe9\r\n--b--\r\n"],
		'encrypted' => ['5.6.1', "$type/ENCRYPTED; boundary=b\r\n\r\n--b\r\n\r\n\xe9\r\n--b--\r\n"],
		'PKCS #7' => ['5.6.1', "Content-type: application/pkcs7-mime\r\n\r\n\xe9\r\n"],
		'signed, in a list' => ['5.6.1', "$type/mixed; boundary=b\r\n\r\n--b\r\n$type/signed;\r\n" .
		    "\tboundary=c\r\n\r\n--c\r\n\r\n\xe9\r\n--c--\r\n--b\r\n\r\nfooter\r\n--b--\r\n"],
		'signed, in a message' => ['5.6.1', "Content-Type: message/rfc822\r\n\r\nFrom: a\r\n" .
		    "$type/signed; boundary=c\r\n\r\n--c\r\n\r\n\xe9\r\n--c--\r\n"],
		'only about signing' => ['5.6.3', "\r\n$type/signed; boundary=b\r\n\r\n\xe9\r\n"],
	);
	for my $name (sort keys %m) {
		my ($status, $body) = @{ $m{$name} };
		told(relay("host \"127.0.0.1\" port $port", opts => ['-8'],
		    file => spew("$dir/8bit", "From: a\@example.org\r\n$body")),
		    "0 2 0 $status, done 0", "R6409-8-b, R6152-3-b, R3030-3-b $name: $status");
	}
	unlike(told_to($log), qr/MAIL|DATA/, 'R6152-3-b nothing of it is sent');
	told(relay("host \"127.0.0.1\" port $port", opts => ['-8']),
	    '0 0 250 2.0.0, done 0', 'R6152-3-b what is 7-bit goes, whatever it said');
	is(envelopes($port, $log), 'MAIL FROM:<s@example.org>; RCPT TO:<r@example.net>; DATA',
	    'R6152-3-b without BODY');
};

subtest 'NOTIFY=NEVER without DSN' => sub {
	my @to = ('a@x', 'n@x NOTIFY=NEVER', 'b@x NOTIFY=SUCCESS', 'm@x NOTIFY=NEVER');
	my ($port, $log) = hop_with();
	told(relay("host \"127.0.0.1\" port $port", to => \@to),
	    '0 0 250 2.0.0, 2 0 250 2.0.0, 1 0 250 2.0.0, 3 0 250 2.0.0, done 0', 'all delivered');
	is(envelopes($port, $log), 'MAIL FROM:<s@example.org>; RCPT TO:<a@x>; RCPT TO:<b@x>; DATA; ' .
	    'MAIL FROM:<>; RCPT TO:<n@x>; RCPT TO:<m@x>; DATA',
	    'R3461-5.2.2-b a transaction of their own with the null sender');
	($port, $log) = hop_with('DSN');
	told(relay("host \"127.0.0.1\" port $port", to => [@to[0, 1]]),
	    '0 0 250 2.0.0, 1 0 250 2.0.0, done 0', 'with DSN');
	is(envelopes($port, $log), 'MAIL FROM:<s@example.org>; RCPT TO:<a@x> ORCPT=rfc822;a@x; ' .
	    'RCPT TO:<n@x> NOTIFY=NEVER ORCPT=rfc822;n@x; DATA',
	    'R3461-5.2.2-b a next hop with DSN is told');
	# who has no other sender than one that needs SMTPUTF8
	($port, $log) = hop_with('8BITMIME');
	told(relay("host \"127.0.0.1\" port $port", opts => ['-6'], from => "$joerg\@x",
	    to => [@to[0, 1]]), '0 2 0 5.6.7, 1 0 250 2.0.0, done 0',
	    'R6531-3.2-b, R3461-5.2.2-b the null sender needs no SMTPUTF8');
	# it is not everywhere that the null sender may send
	for my $stage (qw(MAIL RCPT DATA .)) {
		for my $pipelining (0, 1) {
			($port, $log) = next_hop(sub {
				my ($p) = @_;
				$p->greet('SIZE', ('PIPELINING') x $pipelining);
				my $null;
				while (defined(my $l = $p->get)) {
					$null = $1 eq '' if $l =~ /\AMAIL FROM:<(.*)>/;
					my $ok = !$null || $l !~ /\A\Q$stage\E/;
					$ok = 0 if $stage eq 'MAIL' && $null && $l =~ /\ARCPT|\ADATA/;
					$p->say('550 5.7.1 no null sender'), next unless $ok;
					if ($l eq 'DATA') {
						$null && $stage eq 'RCPT' and $p->say('503 5.5.1 no'), next;
						$p->say('354 go');
						$p->data // return;
						$p->say($null && $stage eq '.' ? '550 5.7.1 no null sender' :
						    '250 2.0.0 taken');
					} elsif ($l eq 'QUIT') {
						$p->say('221 bye');
						return;
					} else {
						$p->say('250 2.1.0 ok');
					}
				}
			});
			told(relay("host \"127.0.0.1\" port $port", to => [@to[0, 1]]),
			    '0 0 250 2.0.0, 1 0 250 2.0.0, done 0',
			    "R3461-5.2.2-b <> refused at $stage: once more with the sender");
			like(envelopes($port, $log), qr/MAIL FROM:<s\@example\.org>; RCPT TO:<a\@x>; DATA; MAIL FROM:<>;.*MAIL FROM:<s\@example\.org>; RCPT TO:<n\@x>; DATA\z/,
			    "R3461-5.2.2-b $stage: in that order");
		}
	}
	($port, $log) = next_hop(sub {
		my ($p) = @_;
		$p->greet('PIPELINING');
		while (defined(my $l = $p->get)) {
			$p->say($l =~ /RCPT/ ? '550 5.1.1 no such user' : $l =~ /DATA/ ?
			    '554 5.5.1 no recipients' : $l eq 'QUIT' ? '221 bye' : '250 ok');
		}
	});
	told(relay("host \"127.0.0.1\" port $port", to => [$to[1]]), '0 2 550 5.1.1, done 0',
	    'R3461-5.2.2-b who is refused with both is refused');
};

# The MAIL commands that a next hop with these keywords gets.
sub mails_to {
	my ($keywords, $params, $seconds, %o) = @_;
	my ($port, $log) = next_hop(sub {
		my ($p) = @_;
		$p->greet(@$keywords);
		$p->take;
	});
	my $r = relay("host \"127.0.0.1\" port $port", opts => ['-p', $params,
	    '-d', $seconds], %o);
	return ($r, join("\n", told_to($log) =~ /^C: (MAIL .*)/mg));
}

subtest 'by when (RFC 2852)' => sub {
	my ($ok, $no) = ('0 0 250 2.0.0, done 0', '0 2 0 ');
	my ($r, $mail) = mails_to(['DELIVERBY 20'], 'BY=300;R', 100);
	told($r, $ok, 'mode R');
	like($mail, qr/ BY=(?:100|99|98);R$/, 'R2852-4.1.4-a the seconds that are left');
	($r, $mail) = mails_to(['deliverby'], 'BY=300;RT', 100);
	like($mail, qr/ BY=\d+;RT$/, 'R2852-4.1.4-a T goes on');
	($r, $mail) = mails_to(['DELIVERBY 20'], 'BY=300;N', -50);
	told($r, $ok, 'mode N, late');
	like($mail, qr/ BY=-5\d;N$/, 'R2852-4.1.4-a by how many seconds it is late');
	($r, $mail) = mails_to(['PIPELINING'], 'BY=300;NT', 100);
	told($r, $ok, 'R2852-4.1.4-a mode N goes anywhere');
	unlike($mail, qr/BY/, 'R2852-4.1.4-a without the parameter');
	for (['R2852-4.1.4.1-a not to a next hop without DELIVERBY', '5.3.3', 100, 'PIPELINING'],
	    ['R2852-4.1.4.1-a nor to one that wants more time', '5.4.7', 100, 'DELIVERBY 102'],
	    ['a minimum that is no number', '5.4.7', 100, 'DELIVERBY soon'],
	    ['R2852-4.1.3-a its time has passed', '5.4.7', -1, 'DELIVERBY']) {
		my ($name, $status, $seconds, $keyword) = @$_;
		($r, $mail) = mails_to([$keyword], 'BY=300;R', $seconds);
		told($r, "$no$status, done 0", $name);
		is($mail, '', 'nothing was sent');
	}
	($r, $mail) = mails_to(['DELIVERBY 102'], 'BY=300;N', 100);
	told($r, $ok, 'the minimum is for mode R');
	($r, $mail) = mails_to(['DELIVERBY 0'], 'BY=999999999;R', 2000000000);
	like($mail, qr/ BY=999999999;R$/, 'RFC 2852 section 4: nine digits at most');
};

subtest 'priority (RFC 6710)' => sub {
	my ($r, $mail) = mails_to(['MT-PRIORITY MIXER'], 'MT-PRIORITY=-4', 0);
	like($mail, qr/ MT-PRIORITY=-4$/, 'R6710-4.2-a the next hop lists it');
	($r, $mail) = mails_to(['MT-PRIORITY'], 'RET=HDRS', 0);
	unlike($mail, qr/PRIORITY/, 'R6710-4.2-a not invented');
	($r, $mail) = mails_to(['DSN'], 'HOLDFOR=60 MT-PRIORITY=9', 0);
	told($r, '0 0 250 2.0.0, done 0', 'R6710-4.2-a a next hop without it takes it');
	unlike($mail, qr/PRIORITY|HOLD/, 'R6710-4.2-a without the parameter; a hold is not passed on');
};

subtest 'Maildir' => sub {
	my $box = "$dir/box";
	mkdir $box, 0700;
	chown $uid, $gid, $box;
	my $r = relay("maildir \"$box\"", root => $box, opts => ['-m', '-n',
	    100, '-w', 30], to => ['a@x', 'b@x']);
	like($r->{text}, qr/^sum\t200\t0\t0\t/m, 'delivered') or
	    diag($r->{text});
	my @new = glob("$box/new/*");
	is(scalar @new, 100, 'a file each');
	is(scalar(() = glob("$box/tmp/*")), 0, 'nothing left in tmp');
	ok(-d "$box/cur", 'cur exists');
	is((stat $new[0])[2] & 0777, 0600, 'mode 0600');
	(my $lf = $text) =~ s/\r\n/\n/g;
	is(slurp($new[0]), "Return-Path: <s\@example.org>\n$lf",
	    'Return-Path and the same text with LF');
	unlink @new;
	told(relay("maildir \"$box\"", root => $box, opts => ['-m'],
	    file => spew("$dir/bare", "X: y\r\n\r\na\nb\r\n")),
	    '0 2 0 5.6.0, done 0', 'bare LF refused');
	is(scalar(() = glob("$box/new/* $box/tmp/*")), 0, 'no file of it');
};

done_testing;
