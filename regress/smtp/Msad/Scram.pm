# A SCRAM client (RFC 5802, RFC 7677) that can be told to do it wrong, and the
# verifiers of a passwd file, both by Digest::SHA alone.
package Msad::Scram;
use strict;
use warnings;

use Digest::SHA qw(sha1 sha256 hmac_sha1 hmac_sha256);
use Exporter 'import';
use MIME::Base64;
use Net::SSLeay;

our @EXPORT = qw(scram_verifier scram);

sub b64 { return encode_base64($_[0], '') }

my %hash = (
	'SCRAM-SHA-1' => [ \&sha1, \&hmac_sha1 ],
	'SCRAM-SHA-256' => [ \&sha256, \&hmac_sha256 ],
);

sub hi {
	my ($hmac, $password, $salt, $n) = @_;
	my $u = my $out = $hmac->($salt . pack('N', 1), $password);
	$out ^= $u = $hmac->($u, $password) for 2 .. $n;
	return $out;
}

# "{SCRAM-SHA-256}4096,salt,stored,server"
sub scram_verifier {
	my ($password, %o) = @_;
	my $mech = $o{mech} // 'SCRAM-SHA-256';
	my ($h, $hmac) = @{ $hash{$mech} };
	my $salt = $o{salt} // join('', map { chr(rand(256)) } 1 .. 16);
	my $n = $o{iterations} // 4096;
	my $salted = hi($hmac, $password, $salt, $n);
	return "{$mech}$n," . join(',', map { b64($_) } $salt,
	    $h->($hmac->('Client Key', $salted)),
	    $hmac->('Server Key', $salted));
}

# What the connection of an Msad::Smtp can be bound to.
sub binding {
	my ($c, $type) = @_;
	my $ssl = $c->{sock}->_get_ssl_object;
	return Net::SSLeay::export_keying_material($ssl, 32,
	    'EXPORTER-Channel-Binding', '') if $type eq 'tls-exporter';
	return $c->{sock}->get_fingerprint_bin('sha256')
	    if $type eq 'tls-server-end-point';
	if ($type eq 'tls-unique') {
		my $buf = '';
		my $n = Net::SSLeay::get_finished($ssl, $buf, 64);
		return substr($buf, 0, $n);
	}
	return '';
}

# Log in over $c. Options: mech, user, password; and to do it differently:
#   gs2        the whole gs2 header
#   bind       type of the binding (-PLUS): tls-exporter
#   data       octets of the binding
#   first      client-first-bare, with the nonce for %s
#   c, r       values in client-final
#   ext        extensions of client-final, with a comma before
#   proof      called with the proof, gives another one
#   final      the whole client-final message
#   split      no initial response
#   stop       after: first, final
# Returns the last reply; what was said is in $o{log} (a hash reference).
sub scram {
	my ($c, %o) = @_;
	my $mech = $o{mech} // 'SCRAM-SHA-256';
	my $log = $o{log} // {};
	my $plus = $mech =~ /-PLUS$/;
	(my $base = $mech) =~ s/-PLUS$//;
	my ($h, $hmac) = @{ $hash{uc $base} };
	my $type = $o{bind} // 'tls-exporter';
	my $gs2 = $o{gs2} // ($plus ? "p=$type,," : 'n,,');
	my $cnonce = $o{cnonce} // join('', map { chr(97 + rand(26)) } 1 .. 20);
	(my $name = $o{user}) =~ s/=/=3D/g;
	$name =~ s/,/=2C/g;
	my $bare = $o{first} // "n=$name,r=%s";
	$bare =~ s/%s/$cnonce/;

	my $r;
	if ($o{split}) {
		$r = $c->cmd("AUTH $mech");
		return $r if $r->{code} != 334;
		$r = $c->cmd(b64("$gs2$bare"));
	} else {
		$r = $c->cmd("AUTH $mech " . b64("$gs2$bare"));
	}
	return $r if $r->{code} != 334;
	my ($b) = $r->{text} =~ /^334 (\S*)\r\n/;
	my $sf = decode_base64($b);
	$log->{server_first} = $sf;
	return $r if ($o{stop} // '') eq 'first';
	my ($nonce, $salt, $n) = $sf =~ /^r=([^,]+),s=([^,]+),i=(\d+)$/
	    or die "server-first: $sf";
	@$log{qw(nonce salt iterations)} = ($nonce, $salt, $n);
	die 'nonce' if index($nonce, $cnonce) != 0;

	my $data = $o{data} // ($plus ? binding($c, $type) : '');
	my $cf = 'c=' . ($o{c} // b64("$gs2$data")) . ',r=' .
	    ($o{r} // $nonce) . ($o{ext} // '');
	my $auth = "$bare,$sf,$cf";
	my $salted = hi($hmac, $o{password}, decode_base64($salt), $n);
	my $key = $hmac->('Client Key', $salted);
	my $proof = $key ^ $hmac->($auth, $h->($key));
	$proof = $o{proof}->($proof) if $o{proof};
	my $final = $o{final} // "$cf,p=" . b64($proof);
	$log->{client_final} = $final;
	$r = $c->cmd(b64($final));
	return $r if $r->{code} != 334;
	($b) = $r->{text} =~ /^334 (\S*)\r\n/;
	$log->{server_final} = decode_base64($b);
	$log->{server_ok} = $log->{server_final} eq 'v=' .
	    b64($hmac->($auth, $hmac->('Server Key', $salted)));
	return $r if ($o{stop} // '') eq 'final';
	return $c->cmd($o{last} // '');
}

1;
