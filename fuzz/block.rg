; What the target `schedule` cuts: a norm, matmuls with an epilogue, attention, and attention to neighbours.
graph block {
  %x = input : f32[2, 19, 24]
  %g = weight : f32[24]
  %w = weight : f32[24, 70]
  %v = weight : f32[70, 24]
  %l = layer_norm %x, %g, %g { eps = 1e-5 }
  %p = matmul %l, %w
  %e = gelu %p
  %q = matmul %e, %v
  %a = attention %q, %q, %q { scale = 0.5 }
  %m = input : f32[2, 12, 8, 18]
  %r = weight : f32[5, 3]
  %c = weight : f32[5, 3]
  %n = neighbourhood_attention %m, %m, %m, %r, %c { heads = 2, size = 5, scale = 0.5, border = zero }
  %y = softmax %a { axis = 0 }
  return %y, %n
}
