; test check

// A block as half modules have it: a cast wherever a tensor is handed on in half, a product without one in f32.
graph f16_block {
  %x = input : f16[1, 10, 32]
  %g = weight : f16[32]
  %b = weight : f16[32]
  %w = weight : f16[32, 96]
  %wb = weight : f16[96]
  %n = layer_norm %x, %g, %b { eps = 1e-5 }
  %p = matmul %n, %w
  %s = add %p, %wb
  %h = cast %s { to = f16 }
  %q0 = slice %h { axis = -1, start = 0, stop = 32, step = 1 }
  %k0 = slice %h { axis = -1, start = 32, stop = 64, step = 1 }
  %v0 = slice %h { axis = -1, start = 64, stop = 96, step = 1 }
  %q1 = reshape %q0 { shape = [1, 10, 2, 16] }
  %q = transpose %q1 { order = [-4, -2, -3, -1] }
  %k1 = reshape %k0 { shape = [1, 10, 2, 16] }
  %k = transpose %k1 { order = [-4, -2, -3, -1] }
  %v1 = reshape %v0 { shape = [1, 10, 2, 16] }
  %v = transpose %v1 { order = [-4, -2, -3, -1] }
  %a = attention %q, %k, %v { scale = 0.25 }
  %t = transpose %a { order = [-4, -2, -3, -1] }
  %m = reshape %t { shape = [1, 10, 32] }
  %o = weight : f16[32, 32]
  %r = matmul %m, %o
  %y = add %x, %r
  %z = cast %y { to = f16 }
  return %z
}

; expect check
;   %z within 1e-5 of the reference
