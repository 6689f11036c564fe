; test raise sites=1
; test check

// The sum divides the result, not the weights.
graph normalised_afterwards {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.5
  %largest = reduce %scaled { op = max, axis = -1 }
  %shifted = sub %scaled, %largest
  %e = exp %shifted
  %sum = reduce %e { op = sum, axis = -1 }
  %unscaled = matmul %e, %v
  %y = div %unscaled, %sum
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
