; test raise sites=1
; test check

// Softmax and guard over rows of a matrix, as older exporters flatten them; the comparison is made after the reshape.
graph onnx_guard_of_flat_rows {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %keep = input : bool[2, 1, 1, 6]
  %kt = transpose %k { order = [-4, -3, -1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %m = select %keep, %u, -inf
  %f = reshape %m { shape = [24, 6] }
  %w = softmax %f { axis = -1 }
  %r = reshape %w { shape = [2, 2, 6, 6] }
  %same = eq %r, %r
  %nan = not %same
  %z = select %nan, 0.0, %r
  %y = matmul %z, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
