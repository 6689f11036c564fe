; test raise sites=1
; test check

// The opposite of IsNaN, branches exchanged.
graph onnx_guard_negated_twice {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %keep = input : bool[2, 1, 1, 6]
  %kt = transpose %k { order = [-4, -3, -1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %m = select %keep, %u, -inf
  %w = softmax %m { axis = -1 }
  %same = eq %w, %w
  %nan = not %same
  %number = not %nan
  %z = select %number, %w, 0.0
  %y = matmul %z, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
