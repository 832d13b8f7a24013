# Attackers at the door: 10,000 passwords from 1,000 addresses against one user,
# while that user's own client logs in; bans of addresses, what is said to them,
# and the memory of it all. Addresses are of 127.0.0.0/8.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MIME::Base64;
use Msad;
use Msad::Scram;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

my ($CHILDREN, $ADDRESSES, $EACH) = (10, 1000, 10);

sub b64 { return encode_base64(join('', @_), '') }

sub stats {
	my ($d) = @_;
	return $d->msactl('-j', 'show', 'stats')->{json}[0] // {};
}

sub rss_kb {
	my ($d) = @_;
	my $auth = $d->child_named('msad-auth');
	return Msad::slurp("/proc/$auth->{pid}/status") =~ /^VmRSS:\s+(\d+) kB/m
	    ? $1 : 0;
}

# One part of the attack: each of the addresses has a session, and all try a
# password at the same time, round after round. Prints what was heard.
sub attack_part {
	my ($d, $user, $part) = @_;
	my (%s, %heard);
	for my $i (1 .. $ADDRESSES / $CHILDREN) {
		my $n = $part * $ADDRESSES / $CHILDREN + $i - 1;
		my $from = sprintf('127.%d.%d.%d', 16 + $n % 7, $n / 250,
		    1 + $n % 250);
		$s{$from} = $d->client(tls => 'tls', local => $from)
		    or $heard{none}++;
	}
	for my $round (1 .. $EACH) {
		for my $from (sort keys %s) {
			$s{$from}->send('AUTH PLAIN ' .
			    b64("\0$user\0guess-$from-$round") . "\r\n");
		}
		for my $from (sort keys %s) {
			my $r = $s{$from}->reply(60);
			$heard{$r->{code}}++;
			if ($r->{code} == 535 && $s{$from}{failed}++ == 2 ||
			    $r->{code} != 535 && $r->{code} != 454) {
				$s{$from}->close;
				# three failures close a session: another one
				$s{$from} = $d->client(tls => 'tls',
				    local => $from) or delete $s{$from};
			}
		}
	}
	syswrite(STDOUT, join(' ', map { "$_=$heard{$_}" } sort keys %heard) .
	    "\n");
}

subtest '10,000 passwords from 1,000 addresses' => sub {
	# What reaches PAM is counted by PAM.
	my $d = Msad->new(start => 0);
	my $asked = "$d->{dir}/asked";
	Msad::spew($asked, '', 0666);
	Msad::spew("$d->{dir}/count", "#!/bin/sh\necho \"\$PAM_TYPE \$PAM_RHOST\" " .
	    ">>$asked\n", 0755);
	Msad::spew("/etc/pam.d/$d->{service}",
	    "auth optional pam_exec.so quiet $d->{dir}/count\n" .
	    "auth required pam_unix.so nodelay\n" .
	    "account required pam_unix.so\n", 0644);
	$d->start;
	my $u = $d->account(0);
	my $own = sub {
		my $t = time;
		my $c = $d->client(tls => 'tls') or return (0, 99);
		my $code = $c->auth_plain($u->{name}, $u->{password})->{code};
		$c->quit;
		return ($code, time - $t);
	};
	my ($code) = $own->();
	is($code, 235, 'the user has logged in before');
	my $rss = rss_kb($d);
	my $began = time;
	my @parts;
	for my $part (0 .. $CHILDREN - 1) {
		my $pid = open(my $f, '-|') // die "fork: $!";
		if ($pid == 0) {
			attack_part($d, $u->{name}, $part);
			POSIX::_exit(0);
		}
		push @parts, $f;
	}
	my ($bad, @took) = (0);
	my $left = @parts;
	my %heard;
	while (@parts) {
		my ($ok, $t) = $own->();
		$bad++ if $ok != 235;
		push @took, $t;
		my $in = '';
		vec($in, fileno($_), 1) = 1 for @parts;
		select($in, undef, undef, 0.2);
		my @more;
		for my $f (@parts) {
			if (!vec($in, fileno($f), 1)) {
				push @more, $f;
				next;
			}
			my $l = <$f> // '';
			$heard{$1} += $2 while $l =~ /(\w+)=(\d+)/g;
			close($f);
		}
		@parts = @more;
	}
	my $took = time - $began;
	my $s = stats($d);
	my $tries = 0;
	$tries += $_ for values %heard;
	my @pam = grep { /^auth 127\.(?!0\.0\.1$)/ } split(/\n/, slurp($asked));
	diag(sprintf('%d tries in %.0f s: %s; %d reached PAM', $tries, $took,
	    join(', ', map { "$heard{$_} heard $_" } sort keys %heard),
	    scalar @pam));
	cmp_ok($tries, '>=', 9000, 'the attack was one');
	cmp_ok(scalar @pam, '<', 200, 'fewer than 200 reach PAM');
	cmp_ok(scalar @pam, '>', 10, 'but some do: it is no lock');
	is($heard{235} // 0, 0, 'none got in');
	@took = sort { $a <=> $b } @took;
	cmp_ok(scalar @took, '>=', 5, "the user's own client logged in " .
	    scalar(@took) . ' times meanwhile');
	is($bad, 0, 'and each time it could');
	cmp_ok($took[@took / 2], '<', 2, sprintf('at once: median %.2f s, ' .
	    '%.2f s at most, beside the attack', $took[@took / 2], $took[-1]));
	# From elsewhere, where he is not known, he has to wait, as all have.
	my $c = $d->client(tls => 'tls', local => '127.99.99.99');
	my $r = $c->auth_plain($u->{name}, $u->{password});
	is("$r->{code} $r->{enh}", '454 4.7.0', 'elsewhere: 454');
	my $v = $d->account(1);
	is($c->auth_plain($v->{name}, $v->{password})->{code}, 235,
	    'where another user can log in');
	$c->quit;
	my $grown = rss_kb($d) - $rss;
	diag(sprintf('guard: %d entries, %d octets at most; msad-auth grew by ' .
	    '%d kB', $s->{'auth.guard.entries'}, $s->{'auth.guard.memory'},
	    $grown));
	cmp_ok($s->{'auth.guard.entries'}, '>=', 100, 'entries are printed');
	cmp_ok($s->{'auth.guard.memory'}, '<', 32 * 1024 * 1024,
	    'and the bound of their memory');
	SKIP: {
		skip 'sanitizers keep freed memory', 1 if $Msad::BUILD =~ /asan/;
		cmp_ok($grown, '<', 16 * 1024, 'msad-auth keeps within it');
	}
	cmp_ok($s->{'auth.refused'}, '>', 5000, 'auth.refused');
	my $log = $d->log;
	my $failed = () = $log =~ /event=auth-failed user="\Q$u->{name}\E"/g;
	my $refused = () = $log =~ /event=auth-refused user="\Q$u->{name}\E"/g;
	is($failed, scalar @pam, 'a line for each failure');
	is($refused, stats($d)->{'auth.refused'},
	    'and for each that was refused');
	unlike($log, qr/guess-127/, 'without the password');
	$d->done;
};

my $d = Msad->new(extra => "limit login { address 5, period 1h, ban 3s,\n" .
    "\tban-max 3s, delay 0s, user-address 1000 }\n" .
    "trust from 127.4.0.0/16\n", start => 0);
spew("/etc/pam.d/$d->{service}", "auth required pam_unix.so nodelay\n" .
    "account required pam_unix.so\n", 0644);
$d->start;
my $u = $d->account(0);
my $serial = 0;

sub fail_from {
	my ($from, $n, $password) = @_;
	my @codes;
	while ($n-- > 0) {
		my $c = $d->client(tls => 'tls', local => $from)
		    or return @codes, 0;
		if (($c->{banner}{code} // 0) == 421) {
			push @codes, 421;
			next;
		}
		push @codes, $c->auth_plain($u->{name},
		    $password // 'wrong-' . $serial++)->{code};
		$c->close;
	}
	return @codes;
}

# All that comes until the end of a connection.
sub rest {
	my ($c) = @_;
	my $text = '';
	while (defined(my $l = $c->line)) { $text .= $l }
	return $text;
}

subtest 'a ban' => sub {
	my $open = $d->client(tls => 'tls', local => '127.1.1.1');
	is_deeply([fail_from('127.1.1.1', 5)], [(535) x 5], 'five failures');
	my $r = $open->auth_plain($u->{name}, $u->{password});
	is("$r->{code} $r->{enh}", '421 4.7.0', 'AUTH in an open session: 421');
	like($r->{text}, qr/mail\.example\.org Too many failed logins/,
	    'and why');
	ok($open->closed, 'and it is closed');
	my $c = Msad::Smtp->connect($d->{port_starttls}, 20, undef, '127.1.1.1');
	like(rest($c), qr/^421 4\.7\.0 mail\.example\.org Too many failed logins[^\r]*\r\n\z/m,
	    'a new connection: 421');
	$c = Msad::Smtp->connect($d->{port_tls}, 20, undef, '127.1.1.1');
	ok($c->start_tls(SSL_ca_file => "$d->{dir}/ca.pem"), 'over TLS, too');
	like(rest($c), qr/^421 4\.7\.0 [^\r]*\r\n\z/m,
	    '421, most often in place of the greeting, and it is closed');
	ok($d->log_wait(qr/event=ban network=127\.1\.1\.1\/32 failures=5 seconds=3/),
	    'the log says so');
	cmp_ok(stats($d)->{'auth.banned'}, '>=', 3, 'auth.banned');
	$c = $d->client(tls => 'tls', local => '127.1.2.1');
	is($c->auth_plain($u->{name}, $u->{password})->{code}, 235,
	    'others are served');
	$c->quit;
	my $over = wait_for {
		my $s = $d->client(tls => 'tls', local => '127.1.1.1') or return 0;
		return $s->{banner}{code} == 220;
	} 10;
	ok($over, 'it ends');
};

subtest 'the same password again' => sub {
	is_deeply([fail_from('127.2.1.1', 12, 'old')], [(535) x 12],
	    'counts once');
	is_deeply([fail_from('127.4.1.1', 12)], [(535) x 12],
	    'a trusted network is not banned');
};

subtest 'users there are not' => sub {
	my %said;
	for my $who ($u->{name}, 'no-such-user') {
		my $c = $d->client(tls => 'tls', local => '127.3.1.1');
		my $r = $c->auth_plain($who, 'wrong-' . $serial++);
		$said{$r->{text} =~ s/ \([0-9a-f-]+\)//r}++;
		$c->close;
	}
	is_deeply([values %said], [2], 'R4954-6-a are told the same');
	fail_from('127.3.1.1', 3);
	my $c = Msad::Smtp->connect($d->{port_starttls}, 20, undef, '127.3.1.1');
	like(rest($c), qr/^421 4\.7\.0 /m, 'and counted the same');
};

$d->done;

# The same for SCRAM, where auth itself knows the secret.
subtest 'SCRAM' => sub {
	my $e = Msad->new(start => 0);
	my $port = free_port();
	my $file = "$e->{dir}/passwd";
	my $v = scram_verifier('right');
	spew($file, "ann:$v\nbob:$v\n", 0600);
	$e->{extra} = "limit login { user 6, delay 0s }\n" .
	    "auth \"file\" { passwd file:\"$file\" realm \"example.org\" }\n" .
	    "listen on 127.0.0.1 port $port tls pki \"main\" auth \"file\"\n";
	$e->write_conf;
	$e->start;
	my $at = sub {
		my ($from) = @_;
		my $c = Msad::Smtp->connect($port, $Msad::DEADLINE, undef, $from);
		$c->start_tls(SSL_ca_file => "$e->{dir}/ca.pem") or return undef;
		$c->greeting;
		$c->cmd('EHLO client.example');
		return $c;
	};
	is(scram($at->('127.7.0.1'), user => 'ann', password => 'right')->{code},
	    235, 'a login');
	my (%heard, $log);
	for my $i (1 .. 10) {
		$log = {};
		my $r = scram($at->("127.7.$i.1"), user => 'ann',
		    password => "wrong-$i", log => $log);
		$heard{$r->{code}}++;
	}
	is_deeply(\%heard, { 535 => 6, 454 => 4 }, 'six guesses, then 454');
	ok(!exists $log->{server_first}, 'as soon as the user is named');
	is(scram($at->('127.7.0.1'), user => 'ann', password => 'right')->{code},
	    235, 'but not where the user is known');
	# Exchanges that all began before the first one failed.
	my @c = map { $at->("127.8.$_.1") } 1 .. 20;
	my (@nonce, %end);
	for my $c (@c) {
		my %l;
		scram($c, user => 'bob', password => 'x', log => \%l,
		    stop => 'first');
		push @nonce, $l{server_first} =~ /^r=([^,]+)/;
	}
	is(scalar @nonce, 20, '20 exchanges are under way');
	for my $i (0 .. $#c) {
		my $r = $c[$i]->cmd(b64("c=biws,r=$nonce[$i],p=" .
		    b64('x' x 32)));
		$end{$r->{code}}++;
	}
	is_deeply(\%end, { 535 => 6, 454 => 14 }, 'six of them are looked at');
	my $failed = () = $e->log =~ /event=auth-failed user="\w+" client="127\.[\d.]+" mech=SCRAM-SHA-256 auth="file" ms=\d+ reason="/g;
	is($failed, 12, 'a line for each failure');
	$e->done;
};
done_testing;
